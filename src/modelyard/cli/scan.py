"""`modelyard scan`: what loading files would execute, without executing any of it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from modelyard.api import scanning
from modelyard.api.scanning import Scanned, Verdict
from modelyard.cli import as_json, documents
from modelyard.cli.errors import COMPLAINTS, HelpfulError
from modelyard.cli.options import Request, with_place
from modelyard.walk.text import shown

if TYPE_CHECKING:  # a gate that asks for JSON does not wait for what draws screens
    from rich.console import Console

STYLES: dict[Verdict, str] = {"safe": "green", "suspicious": "yellow", "unknown": "magenta", "dangerous": "bold red"}
NEVER = "never"
MOST = 6
"""How many findings of one file a screen shows."""


@click.command("scan")
@click.argument("targets", nargs=-1, metavar="[PATH|ID]...")
@click.option(
    "--fail-on",
    type=click.Choice([*scanning.VERDICTS[1:], NEVER]),
    default="suspicious",
    show_default=True,
    help="Exit 5 for this verdict and every worse one.",
)
@click.option("--explain", metavar="CODE", help="What a code of a finding means, and nothing else.")
@click.option("--sarif", is_flag=True, help="One SARIF 2.1.0 document on stdout.")
@click.option("--ml-bom", "bom", is_flag=True, help="One CycloneDX 1.6 bill of materials on stdout.")
@click.option("--all", "everything", is_flag=True, help="Show safe files, too.")
@with_place
def command(
    request: Request,
    targets: tuple[str, ...],
    fail_on: str,
    explain: str | None,
    sarif: bool,
    bom: bool,
    everything: bool,
) -> int:
    """What loading a model would execute: files, folders, artifacts by their ids, or without any the whole inventory.

    Nothing is unpickled, imported or executed. Verdicts: safe; suspicious, it needs code that nobody vetted; unknown,
    it cannot be read or followed; dangerous. Exit code 5 by --fail-on.
    """
    if explain is not None:
        return _explain(explain)
    found = _scanned(request, targets)
    verdict = scanning.worst(each.verdict for each in found)
    if sarif:
        from modelyard.cli.sarif import document

        as_json.emit(document(found))
    elif bom:
        from modelyard.cli.ml_bom import document as bill

        as_json.emit(bill(found))
    elif request.json:
        as_json.emit(as_document(found))
    else:
        _print(found, everything)
    if fail_on == NEVER or scanning.VERDICTS.index(verdict) < scanning.VERDICTS.index(fail_on):
        return 0
    return COMPLAINTS


def _scanned(request: Request, targets: Sequence[str]) -> list[Scanned]:
    """Scans paths as they are; what is no path is an id of the inventory, and what is found of it is remembered."""
    paths = [target for target in targets if os.path.lexists(target)]
    ids = [target for target in targets if not os.path.lexists(target)]
    if not ids and targets:
        return scanning.scan(paths, _progress(request))
    from modelyard.api.inspecting import read_headers  # late: a scan of a path has no use for them
    from modelyard.cli.looking import look, looked

    survey, _ = look(request)
    try:
        artifacts = scanning.artifacts_of(survey, ids)
    except LookupError as error:
        hint = "`modelyard ls -q` prints all ids; a path must exist"
        raise HelpfulError(str(error.args[0]), hint) from error
    remembered = looked(request, survey)
    for each in artifacts:
        remembered.mark(each)
    found = scanning.scan([*paths, *scanning.files_of(survey, artifacts)], _progress(request))
    verdicts = scanning.verdicts(survey, artifacts, found)
    for each in artifacts:
        remembered.put(each, verdict=verdicts.get(each.id))
    read_headers(survey, artifacts, remembered)
    return found


def _progress(request: Request) -> scanning.Progress | None:
    if not (request.progress and sys.stderr.isatty()):
        return None

    def told(done: int, of: int) -> None:
        text = f"{done:>9,} of {of:,} files" if done < of else ""
        print(f"\r{text:<40}\r", end="", file=sys.stderr, flush=True)

    return told


def _explain(code: str) -> int:
    from modelyard.cli.output import console, line

    known = scanning.CODES.get(code)
    if known is None:
        raise HelpfulError(f"no finding has the code {code!r}", f"the codes are {', '.join(scanning.CODES)}")
    out = console()
    line(out, f"{code}: {known.title}", "bold")
    out.print(known.meaning, soft_wrap=not out.is_terminal)
    if known.advice:
        out.print(f"What to do: {known.advice}.", soft_wrap=not out.is_terminal)
    return 0


def as_document(found: Sequence[Scanned]) -> documents.ScannedFiles:
    """What was found as a document."""
    lines = [
        documents.ScannedLine(
            shown(each.path),
            each.format,
            each.verdict,
            each.loads,
            [
                documents.FindingLine(own.code, own.severity, own.where, own.runs, scanning.advice(own.code))
                for own in each.findings
            ],
        )
        for each in found
    ]
    return documents.ScannedFiles(lines, scanning.worst(each.verdict for each in found))


def _print(found: Sequence[Scanned], everything: bool) -> None:
    from modelyard.cli.output import console, line

    out = console()
    ranked = sorted(found, key=lambda each: -scanning.VERDICTS.index(each.verdict))
    for each in ranked:
        if each.verdict != "safe" or everything or len(found) == 1:
            _one(out, each)
    counts = Counter(each.verdict for each in found)
    told = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in reversed(scanning.VERDICTS) if counts[verdict])
    files = sum(each.format != scanning.FOLDER for each in found)
    line(out, f"{files:,} file{'' if files == 1 else 's'} scanned, nothing executed: {told or 'none'}", "bold")


def _one(out: Console, each: Scanned) -> None:
    """A file, its verdict, what would run, and what to do."""
    from rich.text import Text

    from modelyard.cli.output import line

    out.print(Text.assemble((f"{each.verdict:<10} ", STYLES[each.verdict]), shown(each.path)), soft_wrap=True)
    kind = "; ".join(part for part in (each.format, each.loads) if part)
    if kind:
        line(out, f"           {kind}", "dim")
    worst_first = sorted(each.findings, key=lambda own: -scanning.VERDICTS.index(own.severity))
    for own in worst_first[:MOST]:
        place = f"{own.where}: " if own.where else ""
        out.print(Text.assemble("  ", (own.code, STYLES[own.severity]), f" {place}{own.runs}"), soft_wrap=True)
    if len(worst_first) > MOST:
        line(out, f"  and {len(worst_first) - MOST:,} more: --json lists them all", "dim")
    if worst_first and (todo := scanning.advice(worst_first[0].code)):
        line(out, f"  What to do: {todo}", "dim")

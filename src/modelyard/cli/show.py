"""`modelyard show`: everything known about one artifact."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from modelyard import api
from modelyard.api.expecting import wanted
from modelyard.api.inspecting import HAVE_HEADERS, model_of, told
from modelyard.api.looked import Note
from modelyard.api.scanning import HOLDS_MODELS, verdict_of
from modelyard.api.verifying import known as verified_before
from modelyard.cli import as_json, documents
from modelyard.cli.errors import HelpfulError
from modelyard.cli.headers import model_facts
from modelyard.cli.looking import everyone, exit_code, look, looked, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, freed, line, table
from modelyard.inventory import Artifact, Use
from modelyard.units import ago, rfc3339, size
from modelyard.walk.text import shown

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

MOST = 12
PATIENCE = 5.0
"""Seconds for a scan of its files."""
NOBODY = "No use or reference seen among {files:,} files of code, the processes and kernels; that proves nothing."


@click.command("show")
@click.argument("name", metavar="ID")
@with_place
def command(request: Request, name: str) -> int:
    """Everything known about one artifact: its files, who shares its bytes, what removing it alone frees, who uses it.

    ID is an id as `modelyard ls` prints it, or a part that fits one only.
    """
    found, _ = look(request)
    try:
        number, artifact = api.find_artifact(found, name)
    except LookupError as error:
        raise HelpfulError(str(error.args[0]), "`modelyard ls -q` prints all ids") from error
    artifact, known = _looked_into(request, found, artifact)
    if verified := _verified(request, found, artifact):
        artifact = replace(artifact, facts=(*artifact.facts, ("Verified", verified)))
    others = api.sharers(found, number)
    all_users = everyone(request, found)
    uses, gaps = all_users.of(number), all_users.gaps()
    if request.json:
        as_json.emit(_document(found, artifact, known, others, uses, gaps))
    else:
        _print(found, artifact, others)
        _print_uses(uses, gaps, all_users.code.files)
    return exit_code(found)


def _looked_into(request: Request, found: api.Survey, artifact: Artifact) -> tuple[Artifact, Note]:
    """The artifact with what its files say, and what loading them would execute. What was found is remembered."""
    remembered = looked(request, found)
    if artifact.kind in HOLDS_MODELS:
        remembered.mark(artifact)
    if artifact.kind in HAVE_HEADERS:
        header = model_of(found, artifact)
        remembered.put(artifact, model=told(header))
        artifact = replace(artifact, facts=(*artifact.facts, *model_facts(header)))
    if artifact.kind in HOLDS_MODELS:
        verdict = remembered.of(artifact).verdict or verdict_of(found, artifact, PATIENCE)
        if verdict:
            remembered.put(artifact, verdict=verdict)
        artifact = replace(artifact, facts=(*artifact.facts, ("Verdict", _verdict(request, verdict, artifact.id))))
    remembered.save()
    return artifact, remembered.of(artifact)


def _verdict(request: Request, verdict: str | None, name: str) -> str:
    from modelyard.cli.yards import again  # late: help needs none of it

    command = f"`{again(request, 'scan', name)}`"
    if verdict is None:
        return f"not known, its files are not all here or too many to scan along the way: {command} does"
    return verdict if verdict == "safe" else f"{verdict}: {command} tells why"


def _verified(request: Request, found: api.Survey, artifact: Artifact) -> str:
    """What `modelyard verify` remembers of it, empty where it never looked."""
    env, home, _ = place(request)
    told = verified_before(wanted(found, (artifact.id,)), (env, home, api.this_platform()))
    if told is None or told.at is None:
        return ""
    bad = sum(count for state, count in told.counts.items() if state != "ok")
    whole = f"{told.counts.get('ok', 0):,} {'file' if told.counts.get('ok', 0) == 1 else 'files'} whole"
    words = f"{whole}, {bad:,} not as given" if bad else whole
    return f"{words}; the first was read {rfc3339(told.at)}"


def _document(
    found: api.Survey,
    artifact: Artifact,
    known: Note,
    others: list[api.Sharer],
    uses: list[Use],
    gaps: list[str],
) -> documents.Shown:
    return documents.Shown(
        as_json.artifact_line(artifact, known),
        dict(artifact.facts),
        _files(found, artifact.blobs),
        _files(found, artifact.pins),
        [documents.PartLine(each.name, each.size, each.exact) for each in artifact.parts],
        [documents.SharerLine(each.id, each.files, each.allocated) for each in others],
        [documents.UseLine(each.by, each.who, each.evidence, each.confidence) for each in uses],
        gaps,
    )


def _files(found: api.Survey, rows: tuple[int, ...]) -> list[documents.FileLine]:
    tree = found.tree
    lines = []
    for row in rows:
        seen, sizes = tree.entry(row), tree.measure([row]).sizes
        lines.append(
            documents.FileLine(
                shown(tree.path(row)), sizes.apparent, sizes.allocated, seen.nlink if seen else 0, sizes.entries
            )
        )
    return lines


def _facts(artifact: Artifact, now: int) -> list[tuple[str, str]]:
    used, sizes = artifact.last_used, artifact.sizes
    when = "unknown"
    if used:
        since = ago(used.at, now)
        words = since if since == "today" else f"{since} ago or later"
        when = f"{words} ({rfc3339(used.at)}): {used.evidence}, {used.confidence} confidence"
    return [
        ("Kind", artifact.kind),
        ("Store", f"{artifact.store}, {shown(artifact.root)}"),
        ("Revision", artifact.revision),
        ("Tags", " ".join(artifact.tags)),
        ("Belongs to", artifact.group),
        ("State", artifact.state),
        ("Detail", artifact.detail),
        *artifact.facts,
        ("Apparent", f"{size(sizes.apparent)} in {sizes.entries:,} entries" if artifact.rows else ""),
        ("On disk", size(sizes.allocated)),
        ("Frees alone", freed(sizes)),
        ("Last used", when),
        ("Written", rfc3339(artifact.written) if artifact.written is not None else ""),
        ("Comes back", f"{artifact.recovery}, {artifact.proof}"),
    ]


def _print(found: api.Survey, artifact: Artifact, others: list[api.Sharer]) -> None:
    out = console()
    line(out, artifact.id, "bold")
    facts = [(label, text) for label, text in _facts(artifact, time.time_ns()) if text]
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        line(out, f"  {label:<{width}} {text}")
    files = sorted(
        (*_files(found, artifact.blobs), *_files(found, artifact.pins)), key=lambda line: (-line.allocated, line.path)
    )
    rows = [(size(each.apparent), size(each.allocated), f"{each.entries:,}", each.path) for each in files]
    _section(out, "Files", ("Apparent", "On disk", "Entries", "Path"), rows, right=3)
    parts = sorted(artifact.parts, key=lambda part: -part.size)
    _section(out, "Parts", ("Size", "Name"), [(size(part.size), part.name) for part in parts], right=1)
    shares = [(size(each.allocated), f"{each.files:,}", each.id) for each in others]
    _section(out, "Shares bytes with", ("On disk", "Files", "Artifact"), shares, right=2)


def _print_uses(uses: list[Use], gaps: list[str], files: int) -> None:
    out = console()
    rows = [(each.by, each.confidence, each.who, each.evidence) for each in uses]
    _section(out, "Used by", ("By", "Sure", "Who", "Evidence"), rows, right=0)
    if not uses:
        out.print("\nUsed by", style="bold")
        line(out, NOBODY.format(files=files))
    for gap in gaps:
        line(out, f"{gap}.", "dim")


def _section(out: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> None:
    """A table of the first rows under a title; nothing where there is none."""
    if not rows:
        return
    out.print(f"\n{title}", style="bold")
    table(out, heads, rows[:MOST], right=tuple(range(right)), flexible=len(heads) - 1)
    if len(rows) > MOST:
        out.print(f"and {len(rows) - MOST:,} more: --json lists them all", style="dim")

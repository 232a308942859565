"""`modelyard show`: everything known about one artifact."""

from __future__ import annotations

import time

import click

from modelyard import api
from modelyard.cli import documents
from modelyard.cli.errors import HelpfulError
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, freed, line, table
from modelyard.inventory import Artifact
from modelyard.units import ago, rfc3339, size
from modelyard.walk.text import shown

FILES = 12


@click.command("show")
@click.argument("name", metavar="ID")
@with_place
def command(request: Request, name: str) -> int:
    """Everything known about one artifact: its files, who shares its bytes, what removing it alone would free.

    ID is an id as `modelyard ls` prints it, or a part that fits one only.
    """
    found, _ = look(request)
    try:
        number, artifact = api.find_artifact(found, name)
    except LookupError as error:
        raise HelpfulError(str(error.args[0]), "`modelyard ls -q` prints all ids") from error
    others = api.sharers(found, number)
    if request.json:
        shares = [documents.SharerLine(each.id, each.files, each.allocated) for each in others]
        documents.emit(
            documents.Shown(
                documents.artifact_line(artifact), _files(found, artifact.blobs), _files(found, artifact.pins), shares
            )
        )
    else:
        _print(found, artifact, others)
    return exit_code(found)


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
        ("Apparent", f"{size(sizes.apparent)} in {sizes.entries:,} entries"),
        ("On disk", size(sizes.allocated)),
        ("Frees alone", freed(sizes)),
        ("Last used", when),
        ("Written", rfc3339(artifact.written) if artifact.written is not None else ""),
        ("Comes back", f"{artifact.recovery}, {artifact.proof}"),
    ]


def _print(found: api.Survey, artifact: Artifact, others: list[api.Sharer]) -> None:
    out = console()
    line(out, artifact.id, "bold")
    for label, text in _facts(artifact, time.time_ns()):
        if text:
            line(out, f"  {label:<12} {text}")
    lines = sorted(
        (*_files(found, artifact.blobs), *_files(found, artifact.pins)), key=lambda line: (-line.allocated, line.path)
    )
    if lines:
        out.print("\nFiles", style="bold")
        rows = [(size(line.apparent), size(line.allocated), f"{line.entries:,}", line.path) for line in lines[:FILES]]
        table(out, ("Apparent", "On disk", "Entries", "Path"), rows, right=(0, 1, 2), flexible=3)
        if len(lines) > FILES:
            out.print(f"and {len(lines) - FILES:,} more: --json lists them all", style="dim")
    if others:
        out.print("\nShares bytes with", style="bold")
        table(
            out,
            ("On disk", "Files", "Artifact"),
            [(size(each.allocated), f"{each.files:,}", each.id) for each in others[:FILES]],
            right=(0, 1),
            flexible=2,
        )
        if len(others) > FILES:
            out.print(f"and {len(others) - FILES:,} more: --json lists them all", style="dim")

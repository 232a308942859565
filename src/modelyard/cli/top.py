"""`modelyard top`: the largest files anywhere under the roots."""

from __future__ import annotations

import click

from modelyard import api
from modelyard.cli import as_json, documents
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, shorten, table
from modelyard.units import size
from modelyard.walk.text import shown


@click.command("top")
@click.argument("count", type=click.IntRange(min=1), default=20, metavar="[N]")
@with_place
def command(request: Request, count: int) -> int:
    """The N files that take most disk under home and the roots, and the artifact each belongs to."""
    found, _ = look(request)
    lines = []
    for row, owner in api.largest(found, count):
        seen = found.tree.entry(row)
        if seen is not None:
            lines.append(documents.TopLine(shown(found.tree.path(row)), seen.size, seen.allocated, seen.nlink, owner))
    if request.json:
        as_json.emit(documents.Top(lines, found.partial))
    else:
        out = console()
        room = max(out.width // 3, 20) if out.is_terminal else 10_000
        rows = [
            (size(line.apparent), size(line.allocated), line.path, shorten(line.artifact or "-", room))
            for line in lines
        ]
        table(out, ("Apparent", "On disk", "Path", "Artifact"), rows, right=(0, 1), flexible=2, spare=(0,))
    return exit_code(found)

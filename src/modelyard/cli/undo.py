"""`modelyard undo`: brings back what a plan removed."""

from __future__ import annotations

import click

from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import tell
from modelyard.cli.yards import find, opened


@click.command("undo")
@click.argument("name", default="", metavar="[ID]")
@with_place
def command(request: Request, name: str) -> int:
    """Bring back what a plan removed, the last plan without ID. What was purged cannot come back."""
    with opened(request) as yard:
        found = yard.undo(find(yard, name))
    return tell(request, found, "brought back")

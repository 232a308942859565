"""`modelyard undo`: brings back what a plan removed."""

from __future__ import annotations

import click

from modelyard.cli.errors import HelpfulError
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line
from modelyard.cli.plans import tell
from modelyard.cli.waiting import with_wait
from modelyard.cli.yards import find, opened

SHARED = "Files that share extents were left so: each was a file of its own all the time, and no byte of it changed."


@click.command("undo")
@click.argument("name", default="", metavar="[ID]")
@with_place
@with_wait
def command(request: Request, name: str) -> int:
    """Bring back what a plan removed, the last plan without ID. What was purged cannot come back."""
    with opened(request) as yard:
        ledger = find(yard, name)
        if not ledger.steps("done", "undoing") and not any(step.ask for step in ledger.plan.steps):
            words = "was purged" if ledger.steps("purged") else "was taken back already"
            raise HelpfulError(
                f"nothing of plan {ledger.plan.id} waits in the trash: it {words}", "`modelyard journal`"
            )
        found = yard.undo(ledger)
    code = tell(request, found, "brought back" if ledger.places else "taken back")
    if not request.json and any(step.do == "share" for step in ledger.plan.steps):
        line(console(), SHARED, "dim")
    return code

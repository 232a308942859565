"""`modelyard purge`: frees what waits in the trash."""

from __future__ import annotations

import time
from datetime import datetime

import click

from modelyard.api.reclaim import Ledger, Receipt
from modelyard.cli.errors import REFUSED
from modelyard.cli.ls import SPAN
from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import ask, tell
from modelyard.cli.yards import find, ledgers, opened
from modelyard.units import SECOND


@click.command("purge")
@click.argument("name", default="", metavar="[ID]")
@click.option("--older", type=SPAN, metavar="SPAN", help="Only plans that were made longer ago than this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(request: Request, name: str, older: int | None, yes: bool) -> int:
    """Free what lies in the trash, for good, and say how much came back; of one plan with ID, else of all."""
    with opened(request) as yard:
        chosen = [find(yard, name)] if name else [each for each in ledgers(yard) if each.steps("done", "purging")]
        chosen = [each for each in chosen if older is None or _age(each) > older]
        if chosen and not yes and not ask(at_once=True):
            return REFUSED
        found = [yard.purge(each) for each in chosen]
    return tell(request, _together(found), "purged")


def _age(ledger: Ledger) -> int:
    """Nanoseconds since the plan was made."""
    return time.time_ns() - int(datetime.fromisoformat(ledger.plan.created).timestamp()) * SECOND


def _together(found: list[Receipt]) -> Receipt:
    return Receipt(
        " ".join(each.journal for each in found),
        sum(each.done for each in found),
        [reason for each in found for reason in each.skipped],
        [reason for each in found for reason in each.failed],
        sum(each.predicted for each in found),
        sum(each.measured or 0 for each in found),
    )

"""`modelyard purge`: frees what waits in the trash."""

from __future__ import annotations

import sys

import click

from modelyard.api.reclaim import Ledger, Receipt
from modelyard.cli.errors import REFUSED
from modelyard.cli.ls import SPAN
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, table
from modelyard.cli.plans import ask, tell
from modelyard.cli.progress import progress
from modelyard.cli.settings import rules
from modelyard.cli.waiting import with_wait
from modelyard.cli.yards import find, older, opened, waits
from modelyard.units import size


@click.command("purge")
@click.argument("name", default="", metavar="[ID]")
@click.option("--older", "span", type=SPAN, metavar="SPAN", help="Only plans that were made longer ago than this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
@with_wait
def command(request: Request, name: str, span: int | None, yes: bool) -> int:
    """Free what lies in the trash, for good, and say how much came back; of one plan with ID, else of all.

    `keep` under `[trash]` in config.toml leaves younger plans alone unless they are named or --older is given.
    """
    span = rules(request).trash_for if span is None and not name else span
    with opened(request) as yard, progress(request) as told:
        chosen = [find(yard, name)] if name else older(yard, span or 0)
        chosen = [each for each in chosen if each.waiting() or each.steps("purging")]
        if not chosen and not request.json:
            line(console(), "Nothing to purge." if span is None else "Nothing in the trash is that old.")
            return 0
        if chosen and not yes and not request.json:
            _print(chosen)
        if chosen and not yes and not ask(at_once=True):
            return REFUSED if not sys.stdin.isatty() else 0
        found = [yard.purge(each, told) for each in chosen]
    return tell(request, _together(found), "purged")


def _print(chosen: list[Ledger]) -> None:
    """What would be freed: the plans, how many things of each, and their bytes as they were predicted."""
    rows = [(each.plan.id, each.plan.created, f"{len(each.waiting()):,}", size(waits(each))) for each in chosen]
    table(console(), ("Plan", "Made", "Things", "Frees"), rows, right=(2, 3), flexible=1)


def _together(found: list[Receipt]) -> Receipt:
    return Receipt(
        " ".join(each.journal for each in found),
        sum(each.done for each in found),
        [reason for each in found for reason in each.skipped],
        [reason for each in found for reason in each.failed],
        sum(each.predicted for each in found),
        sum(each.measured or 0 for each in found),
    )

"""The second half of `modelyard verify --repair`: what can be done, one question, and the doing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
from msgspec.structs import replace
from rich.text import Text

from modelyard.api import Survey, repairing
from modelyard.api.checking import Outcome, path_of
from modelyard.api.expecting import Wanted
from modelyard.api.repairing import Good, Repair
from modelyard.api.verifying import Run
from modelyard.cli import as_json
from modelyard.cli.errors import COMPLAINTS, PARTLY, REFUSED
from modelyard.cli.looking import ProgressLine, place
from modelyard.cli.options import Request
from modelyard.cli.output import console, line
from modelyard.cli.plans import receipt_document
from modelyard.cli.verified import as_document
from modelyard.cli.yards import again, opened
from modelyard.problem import Problem
from modelyard.units import size

SHOWN = 40
STYLES = {"fetch": "green", "pull": "green", "remake": "green", "away": "yellow", "nobody": "bold red"}


def repair(
    request: Request,
    survey: Survey,
    wanted: Wanted,
    found: Sequence[Outcome],
    run: Run,
    read: int,
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    """The exit code: 0 when everything was mended, 5 when something was not, 4 when nobody could be asked."""
    env = os.environ if place(request)[2] else {}
    told = repairing.repairs(survey, found, {**os.environ, **env})
    able = [each for each in told if each.how != "nobody"]
    document = as_document(found, wanted, run, read, told)
    if not request.json:
        _print(told)
    if not able or dry_run:
        if request.json:
            as_json.emit(document)
        return COMPLAINTS if told else 0
    if not yes and not _ask(able):
        return REFUSED if not sys.stdin.isatty() else COMPLAINTS
    good, failed = _fetched(request, able)
    plan = repairing.plan(survey, able, good)
    done = None
    if plan.steps:
        with opened(request) as yard:
            done = yard.apply(plan)
    failed += [(name, why.message) for name, why in repairing.pulls(able, os.environ) if why is not None]
    if request.json:
        receipt = None if done is None else receipt_document(done).receipt
        document.receipt = receipt
        as_json.emit(document)
    else:
        _tell(request, done.journal if done else "", done.done if done else 0, failed)
        for path, why in (*done.skipped, *done.failed) if done else ():
            line(console(), f"not done  {path}: {why}")
    if failed or (done and (done.skipped or done.failed)):
        return PARTLY
    return COMPLAINTS if any(each.how in ("away", "nobody") for each in told) else 0


def _print(told: Sequence[Repair]) -> None:
    out = console()
    if not told:
        line(out, "Nothing to repair.")
        return
    out.print("\nRepair", style="bold", highlight=False)
    for each in told[:SHOWN]:
        out.print(Text.assemble((f"{each.how:<10} ", STYLES[each.how]), path_of(each.outcome)), soft_wrap=True)
        words = each.words + (f", {size(each.size)}" if each.size else "")
        out.print(f"           {words}", style="dim", soft_wrap=True, highlight=False, markup=False)
    if len(told) > SHOWN:
        line(out, f"and {len(told) - SHOWN:,} more: --json lists them all", "dim")


def _ask(able: Sequence[Repair]) -> bool:
    if not sys.stdin.isatty():
        print("modelyard: nothing was changed: nobody can be asked here\n  add --yes to go on", file=sys.stderr)
        return False
    fetch = sum(each.size for each in able)
    words = f"Fetch {size(fetch)} and put the bad ones into the trash" if fetch else "Put them into the trash"
    return click.confirm(f"{words}?", default=False, err=True)


def _fetched(request: Request, able: Sequence[Repair]) -> tuple[list[Good], list[tuple[str, str]]]:
    """What was fetched, and why the rest was not."""
    shown = ProgressLine() if request.progress and sys.stderr.isatty() else None
    good: list[Good] = []
    failed: list[tuple[str, str]] = []
    taken = [0]

    def told(count: int) -> None:
        taken[0] += count
        if shown:
            shown.draw(f"fetching  {size(taken[0]):>9} of {size(sum(each.size for each in able))}")

    for each in able:
        if each.how != "fetch":
            continue
        found = repairing.fetched(each, os.environ, told)
        if isinstance(found, Problem):
            failed.append((path_of(each.outcome), found.message))
        else:
            good.append(replace(found))
    if shown:
        shown.clear()
    return good, failed


def _tell(request: Request, journal: str, done: int, failed: Sequence[tuple[str, str]]) -> None:
    out = console()
    if journal:
        line(out, f"{done:,} steps made  (plan {journal})", "bold")
        line(out, f"`{again(request, 'verify')}` looks again; `{again(request, 'undo', journal)}` takes it back")
    for name, why in failed:
        line(out, f"not mended  {name}: {why}")

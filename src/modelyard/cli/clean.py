"""`modelyard clean`: the plan of what can go without loss, and after one question its making."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from modelyard.api import Survey, reclaim
from modelyard.cli import as_json
from modelyard.cli.errors import REFUSED, HelpfulError
from modelyard.cli.looking import everyone, exit_code, look
from modelyard.cli.ls import KINDS, SIZE, SPAN
from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import ask, make, plan_document, print_plan
from modelyard.plan import Plan
from modelyard.policies.clean import UNPROVEN, Wish

UNKNOWN = "`modelyard ls -q` prints all ids, `modelyard where` all stores"


@click.command("clean")
@click.argument("names", nargs=-1, metavar="[STORE or ID]…")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be repeated.")
@click.option("--unused-for", type=SPAN, metavar="SPAN", help="Only what is known to be unused for this long.")
@click.option("--free", type=SIZE, metavar="SIZE", help="No more than it takes to free this much.")
@click.option("--until-free", type=SIZE, metavar="SIZE", help="No more than it takes until this much is free.")
@click.option("--keep", multiple=True, metavar="TEXT", help="Never what has this in its id; may be repeated.")
@click.option("--include", multiple=True, metavar="ID", help="This one too, though unproven; may be repeated.")
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, change nothing.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--now", "at_once", is_flag=True, help="Purge what is proven at once instead of keeping it in the trash.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(
    request: Request,
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    unused_for: int | None,
    free: int | None,
    until_free: int | None,
    keep: tuple[str, ...],
    include: tuple[str, ...],
    file: Path | None,
    dry_run: bool,
    at_once: bool,
    yes: bool,
) -> int:
    """Give space back and lose nothing: leftovers, what was superseded, and caches that their tools fill again.

    Only what is proven is chosen; what is not proven goes only when it is named with --include. Everything moves into
    a trash on its own disk, from which `modelyard undo` brings it back and `modelyard purge` frees it.
    """
    now = time.time_ns()
    found, _ = look(request)
    known = {each.id for each in found.artifacts} | {each.store.name for each in found.holdings}
    for name in (*names, *include):
        if name not in known | {each.group for each in found.artifacts}:
            raise HelpfulError(f"neither a store nor an artifact is called {name!r}", UNKNOWN)
    wish = Wish(names, kinds, None if unused_for is None else now - unused_for, keep, include)
    plan, _ = reclaim.plan_clean(found, everyone(request, found), wish, now, _wanted(found, free, until_free))
    if at_once and plan.worst_proof == UNPROVEN:
        raise HelpfulError("--now is for what is proven, and this plan is not", "leave --now or --include away")
    if file is not None:
        _save(plan, file)
    if request.json and (dry_run or file is not None):
        as_json.emit(plan_document(plan))
        return exit_code(found)
    if not request.json:
        print_plan(plan)
    if dry_run or file is not None or not plan.steps:
        return exit_code(found)
    if not yes and not ask(at_once):
        return REFUSED if not sys.stdin.isatty() else 0
    return make(request, plan, at_once)


def _save(plan: Plan, file: Path) -> None:
    try:
        reclaim.save(plan, file)
    except FileExistsError as error:
        raise HelpfulError(f"{file} is there already", "give the plan another name, or remove that file") from error


def _wanted(found: Survey, free: int | None, until_free: int | None) -> int | None:
    """How many bytes have to come back; None for all that can."""
    if until_free is None:
        return free
    space = os.statvfs(found.home)
    missing = max(until_free - space.f_bavail * space.f_frsize, 0)
    return missing if free is None else max(free, missing)

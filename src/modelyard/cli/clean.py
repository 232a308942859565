"""`modelyard clean`: the plan of what can go without loss, and after one question its making."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from modelyard.api import reclaim
from modelyard.cli import as_json
from modelyard.cli.errors import REFUSED, HelpfulError
from modelyard.cli.looking import everyone, exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import ask, make, plan_document, print_plan
from modelyard.cli.wishes import Asked, with_wishes
from modelyard.plan import Plan
from modelyard.policies.clean import UNPROVEN


@click.command("clean")
@with_wishes
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, change nothing.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--now", "at_once", is_flag=True, help="Purge what is proven at once instead of keeping it in the trash.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(request: Request, asked: Asked, file: Path | None, dry_run: bool, at_once: bool, yes: bool) -> int:
    """Give space back and lose nothing: leftovers, what was superseded, and caches that their tools fill again.

    Only what is proven is chosen; what is not proven goes only when it is named with --include. Everything moves into
    a trash on its own disk, from which `modelyard undo` brings it back and `modelyard purge` frees it.
    """
    now = time.time_ns()
    found, _ = look(request)
    plan = reclaim.plan_clean(found, everyone(request, found), asked.wish(found, now), now)
    if at_once and plan.worst_proof == UNPROVEN:
        raise HelpfulError("--now is for what is proven, and this plan is not", "leave --now or --include away")
    if file is not None:
        _save(plan, file)
    if request.json and (dry_run or file is not None or not plan.steps):
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

"""`modelyard clean`: the plan of what can go without loss, and after one question its making."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from modelyard.api import Survey, planning, reclaim
from modelyard.cli import as_json
from modelyard.cli.errors import REFUSED, HelpfulError
from modelyard.cli.looking import everyone, exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import ask, make, plan_document, print_plan
from modelyard.cli.settings import rules
from modelyard.cli.wishes import Asked, with_wishes
from modelyard.plan import Plan
from modelyard.policies.clean import UNPROVEN
from modelyard.policies.rules import Rules


@click.command("clean")
@with_wishes
@click.option("--policy", is_flag=True, help="What the rules in config.toml ask for, and nothing else.")
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, change nothing.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--now", "at_once", is_flag=True, help="Purge what is proven at once instead of keeping it in the trash.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(
    request: Request, asked: Asked, policy: bool, file: Path | None, dry_run: bool, at_once: bool, yes: bool
) -> int:
    """Give space back and lose nothing: leftovers, what was superseded, and caches that their tools fill again.

    Only what is proven is chosen; what is not proven goes only when it is named with --include. Everything moves into
    a trash on its own disk, from which `modelyard undo` brings it back and `modelyard purge` frees it. What is pinned,
    what a `.modelyard-keep` file or a rule in `config.toml` keeps, is never chosen.
    """
    if policy and asked.narrowed:
        raise click.UsageError("--policy takes no names and no other choice: its rules are in config.toml")
    ruled = rules(request)
    found, _ = look(request)
    plan = _plan(request, found, asked, ruled, policy)
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
    return make(request, plan, at_once, ruled)


def _plan(request: Request, found: Survey, asked: Asked, ruled: Rules, policy: bool) -> Plan:
    now = time.time_ns()
    using = everyone(request, found)
    if policy:
        return planning.plan_policy(found, using, ruled, now)
    return planning.plan_clean(found, using, asked.wish(found, now), now, rules=ruled)


def _save(plan: Plan, file: Path) -> None:
    try:
        reclaim.save(plan, file)
    except FileExistsError as error:
        raise HelpfulError(f"{file} is there already", "give the plan another name, or remove that file") from error

"""`modelyard clean`: the plan of what can go without loss, and after one question its making."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click

from modelyard.api import Survey, environments, planning, this_platform
from modelyard.api.checkpoints import plan_with_checkpoints
from modelyard.cli import as_json
from modelyard.cli.asking import prove
from modelyard.cli.errors import REFUSED, HelpfulError
from modelyard.cli.looking import everyone, exit_code, look, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, say
from modelyard.cli.plans import ask, make, plan_document, print_plan, saved
from modelyard.cli.settings import rules
from modelyard.cli.waiting import with_wait
from modelyard.cli.wishes import MEGA, Asked, with_wishes
from modelyard.cli.yards import again
from modelyard.plan import Plan
from modelyard.policies.clean import SLIMMED, UNPROVEN, Evidence, Wish
from modelyard.policies.rules import Rules
from modelyard.units import size

MORE = "More: add --prove to ask the sources, or `modelyard clean checkpoint`, or name what may go with --include."


@click.command("clean")
@with_wishes
@click.option("--policy", is_flag=True, help="What the rules in config.toml ask for, and nothing else.")
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, change nothing.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--now", "at_once", is_flag=True, help="Purge what is proven at once instead of keeping it in the trash.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
@with_wait
def command(
    request: Request, asked: Asked, policy: bool, file: Path | None, dry_run: bool, at_once: bool, yes: bool
) -> int:
    """Give space back and lose nothing: leftovers, what was superseded, and caches that their tools fill again.

    Only what is proven is chosen; what is not proven goes only when it is named with --include. Everything moves into
    a trash on its own disk, from which `modelyard undo` brings it back and `modelyard purge` frees it; but what a
    service keeps (dangling images and build cache of Docker) it removes for good when it is asked to. What is pinned,
    what a `.modelyard-keep` file or a rule in `config.toml` keeps, is never chosen.

    Checkpoints go only when they are asked for: `modelyard clean checkpoint` leaves the best and the last of each run.

    With --prove the Hugging Face Hub and Ollama's registry are asked whether they still have the same bytes, without
    any token; nothing else makes this command use the network.
    """
    if policy and asked.narrowed:
        raise click.UsageError("--policy takes no names and no other choice: its rules are in config.toml")
    ruled = rules(request)
    found, _ = look(request)
    plan = _plan(request, found, asked, ruled, policy)
    if at_once and plan.worst_proof in (SLIMMED, UNPROVEN):
        raise HelpfulError("--now is for what is proven, and this plan is not", "leave --now, --slim or --include away")
    if at_once and plan.freezes:
        names = ", ".join(each.artifact for each in plan.freezes)
        raise HelpfulError(f"--now is not for environments: {names}", "leave --now away, or --keep these")
    if file is not None:
        saved(plan, file)
    if request.json and (dry_run or file is not None or not plan.steps):
        as_json.emit(plan_document(plan))
        return exit_code(found)
    if not request.json:
        print_plan(plan)
        _tell(request, plan, asked.wish(found, time.time_ns()).wanted, file)
    if dry_run or file is not None or not plan.steps:
        return exit_code(found)
    if not yes and not ask(at_once, plan, savable=True):
        return REFUSED if not sys.stdin.isatty() else 0
    return make(request, plan, at_once, ruled)


def _plan(request: Request, found: Survey, asked: Asked, ruled: Rules, policy: bool) -> Plan:
    now, rate = time.time_ns(), round(asked.rate * MEGA)
    wish = planning.policy_wish(found, ruled) if policy else asked.wish(found, now)
    env, home, _ = place(request)
    capsules = environments.capsules_folder(env, home, this_platform())
    proven = environments.proven(found, wish, capsules, now, asked.proof_max_age)
    if asked.prove:
        proven |= {**prove(request, found, wish, now, asked.proof_max_age), **proven}
    using = everyone(request, found)

    def made(wish: Wish, proven: Mapping[str, Evidence]) -> Plan:
        if policy:
            return planning.plan_policy(found, using, ruled, now, proven, rate)
        return planning.plan_clean(found, using, wish, now, proven, ruled, rate)

    return plan_with_checkpoints(found, using, wish, now, asked.rule(), made, proven, ruled)


def _tell(request: Request, plan: Plan, wanted: int | None, file: Path | None) -> None:
    """What is missing of what was wanted, where more could come from, and where the plan was saved."""
    if wanted is not None and plan.predicted < wanted:
        say(console(), f"That is less than the {size(wanted)} that were asked for: nothing else is proven.", "bold")
        say(console(), MORE)
    if file is not None and plan.steps:
        told = f"Saved, and nothing was changed: `{again(request, 'apply', str(file))}` makes it"
        console().print(told, markup=False, highlight=False, soft_wrap=True)

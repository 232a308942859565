"""`modelyard apply`: makes a plan that was saved."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard import plan as plans
from modelyard.cli.errors import REFUSED, HelpfulError
from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import APPLIED, ask, make, print_plan
from modelyard.cli.settings import rules
from modelyard.cli.waiting import with_wait
from modelyard.cli.yards import closed, ledgers
from modelyard.problem import Problem
from modelyard.walk.read import read_file

CAP = 1 << 30


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
@with_wait
def command(request: Request, file: Path, yes: bool) -> int:
    """Make a plan that was saved with --plan. Steps whose files changed since are refused, the others are made."""
    text = read_file(bytes(file.absolute()), CAP, follow=True)
    if isinstance(text, Problem):
        raise HelpfulError(f"{text.path}: {text.message}", "give the file that `modelyard clean --plan FILE` wrote")
    try:
        plan = plans.decode(text)
    except ValueError as error:
        raise HelpfulError(str(error), "make a new one with `modelyard clean --plan FILE`") from error
    for each in ledgers(closed(request)):
        if each.plan.id == plan.id:
            raise HelpfulError(APPLIED, f"`modelyard journal show {plan.id}`")
    if not request.json:
        print_plan(plan)
    if not yes and not ask(False, plan):
        return REFUSED
    return make(request, plan, False, rules(request))

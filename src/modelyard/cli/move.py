"""`modelyard move`: another place for a store or an artifact, proven, told to its owner, and undoable."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from modelyard import api
from modelyard.api import moving
from modelyard.api.moving import Nothing, Refusal, Wish
from modelyard.cli import as_json
from modelyard.cli.errors import OK, REFUSED, HelpfulError
from modelyard.cli.looking import everyone, exit_code, look, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line
from modelyard.cli.plans import ask, make, plan_document, print_plan, saved
from modelyard.cli.settings import rules
from modelyard.cli.yards import closed, ledgers, opened
from modelyard.plan import Plan

UNKNOWN = "`modelyard ls -q` prints all ids, `modelyard where` all stores and their folders"


@click.command("move")
@click.argument("name", metavar="STORE|ID|PATH")
@click.argument("target", metavar="DEST", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan for later.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--write-rc", is_flag=True, help="Let the start file of your shell set the variable, too.")
@with_place
def command(
    request: Request, name: str, target: Path, dry_run: bool, file: Path | None, yes: bool, write_rc: bool
) -> int:
    """Give a store, or one model or checkpoint, another place, on another disk or the same.

    Everything is copied with its links, holes, attributes, owners and times, and read back from the disk before one
    switch: its owner's own setting names the new place, or a link in the old one leads there. What was there waits in
    the trash. Stopped at any moment the old place or the new one is whole, and the same command goes on.

    DEST: a folder that is there, into which it goes under its own name, or the whole new path.
    """
    _known(name)
    if not dry_run and file is None and closed(request).unsettled():
        with opened(request):  # what an interruption left is settled before anything is looked at
            pass
    found, _ = look(request)
    if found.partial:
        return exit_code(found)
    plan = _plan(request, found, Wish(name, str(target), write_rc, frozenset(rules(request).pins)))
    if plan is None:
        line(console(), f"{name} is there already")
        return OK
    if file is not None:
        saved(plan, file)
    if request.json and (dry_run or file is not None):
        as_json.emit(plan_document(plan))
    if not request.json:
        print_plan(plan)
    if dry_run or file is not None:
        return OK
    if not yes and not ask(False, plan, savable=True):
        return REFUSED if not sys.stdin.isatty() else OK
    return make(request, plan, False, rules(request))


def _known(name: str) -> None:
    """What cannot be moved is refused before anything is looked at."""
    try:
        moving.refuse_never(name)
    except Refusal as error:
        raise HelpfulError(str(error), error.instead, REFUSED) from error


def _plan(request: Request, found: api.Survey, wish: Wish) -> Plan | None:
    env, home, _ = place(request)
    try:
        return moving.plan_move(found, everyone(request, found), wish, env, home, api.this_platform())
    except Refusal as error:
        raise HelpfulError(str(error), error.instead, REFUSED) from error
    except Nothing as error:
        if moving.made_before(ledgers(closed(request)), wish):
            return None
        raise HelpfulError(str(error), UNKNOWN) from error

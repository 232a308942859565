"""`modelyard link`: a model of one tool made usable in another, without a second copy."""

from __future__ import annotations

import sys
from typing import get_args

import click

from modelyard import api
from modelyard.api import find_artifact
from modelyard.api.digests import digest_cache
from modelyard.api.linking import name_of, plan_link
from modelyard.cli import as_json
from modelyard.cli.errors import REFUSED, HelpfulError
from modelyard.cli.looking import look, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, table
from modelyard.cli.plans import confirmed, made, plan_document, tell
from modelyard.cli.settings import rules
from modelyard.plan import Plan
from modelyard.policies.linking import FOLDERS, TAKERS, Target, how_to_run
from modelyard.problem import Problem

TARGETS = get_args(Target)
WORDS = {"clone": "shares its extents with", "link": "hard link of", "write": "note", "ask": "asked to make a model"}


@click.command("link")
@click.argument("item", metavar="ID")
@click.option("--into", "target", type=click.Choice(TARGETS), required=True, help="The tool that is to have it too.")
@click.option("--as", "name", default="", metavar="OWNER/NAME", help="What it is called there.")
@click.option("--folder", default="", type=click.Choice(["", *FOLDERS]), help="ComfyUI's folder for it.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(request: Request, item: str, target: Target, name: str, folder: str, dry_run: bool, yes: bool) -> int:
    """Make a model of one store usable in another tool without a second copy of its bytes.

    The new file shares extents with the old one where the file system can; elsewhere it is a hard link, only of files
    that their tool never rewrites. Ollama's running server is asked to make the model of the file.
    `modelyard undo` takes it away again.
    """
    found, _ = look(request)
    try:
        artifact = find_artifact(found, item)[1]
    except LookupError as error:
        raise HelpfulError(str(error), "`modelyard ls -q` prints all ids") from error
    env, home, _ = place(request)
    with digest_cache((env, home, api.this_platform())) as cache:
        plan = plan_link(found, artifact, target, cache, name=name, folder=folder)
    if isinstance(plan, Problem):
        raise HelpfulError(f"{plan.path}: {plan.message}", f"`modelyard show {artifact.id}` tells what it is", REFUSED)
    if request.json and (dry_run or not plan.steps):
        as_json.emit(plan_document(plan))
        return 0
    if not request.json:
        _print(plan, target)
    if dry_run or not plan.steps:
        return 0
    if not yes and not confirmed("Make it so"):
        return REFUSED if not sys.stdin.isatty() else 0
    code = tell(request, made(request, plan, f"modelyard link {item} --into {target}", rules(request)), "made")
    if code == 0 and not request.json:
        first = next((step for step in plan.steps if step.do in ("clone", "link")), plan.steps[0])
        asked = next((step.ask.name for step in plan.steps if step.ask), "")
        line(console(), how_to_run(target, asked or name or name_of(artifact), first.path.text))
    return code


def _print(plan: Plan, target: Target) -> None:
    out = console()
    out.print(f"\nInto {TAKERS[target].title}", style="bold", highlight=False)
    rows = [(step.path.text, WORDS[step.do], step.other.text if step.other else "") for step in plan.steps]
    table(out, ("New", "How", "Of"), rows, flexible=0, spare=(2,))
    linked = any(step.do == "link" for step in plan.steps)
    line(out, f"A hard link is no danger here: {TAKERS[target].links}." if linked else "No byte is copied.", "dim")

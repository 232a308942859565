"""`modelyard pin`: what shall never be in a plan."""

from __future__ import annotations

import click

from modelyard.api import Survey, find_artifact, pins
from modelyard.cli import as_json, documents
from modelyard.cli.errors import HelpfulError
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, table
from modelyard.cli.settings import rules
from modelyard.cli.yards import opened


@click.command("pin")
@click.argument("names", nargs=-1, metavar="[ID]…")
@click.option("--remove", is_flag=True, help="Let these go again.")
@with_place
def command(request: Request, names: tuple[str, ...], remove: bool) -> int:
    """Pin artifacts, so that no plan ever holds them; without ID list what is pinned.

    A file named `.modelyard-keep` does the same for everything in and below its folder.
    """
    found, _ = look(request)
    pinned = rules(request).pins
    if names:
        chosen = {_named(found, name, pinned if remove else frozenset()) for name in names}
        pinned = pinned - chosen if remove else pinned | chosen
        with opened(request) as yard:
            pins.write(yard.rooms, pinned)
    here = {each.id for each in found.artifacts}
    if request.json:
        as_json.emit(documents.Pinned([documents.PinLine(each, each in here) for each in sorted(pinned)]))
        return exit_code(found)
    out = console()
    if not pinned:
        line(out, "Nothing is pinned. `modelyard ls -q` prints all ids.")
    else:
        rows = [(each, "" if each in here else "not here now") for each in sorted(pinned)]
        table(out, ("Pinned", ""), rows, flexible=0)
    return exit_code(found)


def _named(found: Survey, name: str, pinned: frozenset[str]) -> str:
    if name in pinned:
        return name
    try:
        return find_artifact(found, name)[1].id
    except LookupError as error:
        raise HelpfulError(str(error), "`modelyard ls -q` prints all ids") from error

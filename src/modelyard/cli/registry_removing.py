"""`modelyard registry rm`: versions into the trash."""

from __future__ import annotations

import sys

import click

from modelyard.cli.errors import REFUSED
from modelyard.cli.options import Request
from modelyard.cli.registry_place import in_registry, opened
from modelyard.units import size
from modelyard.walk.text import shown


@click.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME@VERSION...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_registry
def rm_command(request: Request, place: str, names: tuple[str, ...], yes: bool) -> int:
    """Put versions into the trash; `modelyard undo` brings them back, `modelyard purge` frees them.

    NAME@* means all versions of a model. A version that an alias means is refused.
    """
    from modelyard.cli.plans import TRASHED, tell  # late: they know every verb that changes something
    from modelyard.cli.yards import opened as yard_opened
    from modelyard.library import removal

    with opened(place) as registry:
        plan = removal(registry, registry.meant(*names))
        if not yes:
            for each in plan.steps:
                click.echo(f"{shown(each.path.text)}  {size(each.freed)}", err=True)
            if not sys.stdin.isatty():
                click.echo("modelyard: without a terminal this needs --yes; nothing was changed", err=True)
                return REFUSED
            if not click.confirm("Put them into the trash?", err=True):
                return 0
        with yard_opened(request) as yard:
            receipt = yard.apply(plan)
    return tell(request, receipt, TRASHED)

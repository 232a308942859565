"""`modelyard demo`: builds the sample workstation."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.cli import as_json, documents
from modelyard.cli.errors import HelpfulError
from modelyard.cli.options import Request, with_place
from modelyard.demo.build import build
from modelyard.units import size
from modelyard.walk.text import shown
from modelyard.walk.tree import walk


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same workstation.")
@click.option(
    "--scale",
    type=click.FloatRange(0.001, 100),
    default=1.0,
    show_default=True,
    help="How many of everything; 1 is 1.2 TB on paper.",
)
@with_place
def command(request: Request, folder: Path, seed: int, scale: float) -> None:
    """Build a sample workstation in DIR, which must be new or empty: 1.2 TB on paper in under 2 GB of disk."""
    if scale != scale:
        raise click.BadParameter("nan is no number", param_hint="--scale")
    try:
        build(folder, seed, scale)
    except FileExistsError as error:
        raise HelpfulError(shown(str(error)), "give a folder that does not exist yet") from error
    seen = walk([str(folder.resolve())]).totals()
    if request.json:
        as_json.emit(documents.Built(shown(str(folder)), seed, scale, seen.entries, seen.apparent, seen.allocated))
        return
    name = shown(str(folder))
    click.echo(f"{name}: {seen.entries:,} entries, {size(seen.apparent)} on paper, {size(seen.allocated)} on disk")
    click.echo(f"look at it: modelyard --home {name}", err=True)

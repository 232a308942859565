"""`modelyard where`: every root of every store, how it was found, and what would move it."""

from __future__ import annotations

import click

from modelyard.cli import documents
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, shorten
from modelyard.inventory import Holding
from modelyard.walk.text import shown

MANY = 6


@click.command("where")
@with_place
def command(request: Request) -> int:
    """Every root, how it was found, which variable or setting moves it, and why a store was not found."""
    found, _ = look(request)
    lines = [_line(holding) for holding in found.holdings]
    if request.json:
        documents.emit(documents.Where(lines))
    else:
        _print(lines)
    return exit_code(found)


def _line(holding: Holding) -> documents.WhereLine:
    roots = [documents.RootLine(shown(root.path), root.found_by, root.row is not None) for root in holding.roots]
    missing = ""
    if not any(root.exists for root in roots):
        nowhere = f"nothing under the roots looks like it ({', '.join(holding.store.markers)})"
        missing = "none of these folders exists" if roots else nowhere
        if not roots and not holding.store.markers:
            missing = "its place lies outside this home"
    elif not holding.artifacts:
        missing = "its folder is there and holds nothing"
    return documents.WhereLine(
        holding.store.name, holding.store.title, roots, list(holding.store.variables), holding.artifacts, missing
    )


def _print(stores: list[documents.WhereLine]) -> None:
    out = console()
    for store in stores:
        found = f"{store.artifacts:,} artifacts" if store.artifacts else f"not found: {store.missing}"
        line(out, f"{store.title}  ({store.store})  {found}", "bold")
        present = [root for root in store.roots if root.exists]
        absent = [root for root in store.roots if not root.exists]
        for root in present[:MANY]:
            path = shorten(root.path, max(out.width - len(root.found_by) - 6, 20)) if out.is_terminal else root.path
            line(out, f"  + {path}  {root.found_by}")
        if len(present) > MANY:
            line(out, f"    and {len(present) - MANY:,} more: --json lists them all", "dim")
        for root in absent[:MANY]:
            line(out, f"  - {root.path}  {root.found_by}, no such folder", "dim")
        if store.variables:
            line(out, f"    moved by: {', '.join(store.variables)}", "dim")

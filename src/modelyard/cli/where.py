"""`modelyard where`: every root of every store, how it was found, and what would move it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard import api
from modelyard.cli import as_json, documents
from modelyard.cli.errors import HelpfulError
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, freed, line, shorten
from modelyard.inventory import Holding, Root, Sizes
from modelyard.units import size
from modelyard.walk.text import shown

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

MANY = 6


@click.command("where")
@click.argument("store", default="", metavar="[STORE]")
@with_place
def command(request: Request, store: str) -> int:
    """Every root, how it was found, which variable or setting moves it, and why a store was not found.

    With STORE only that one. For container engines also what their own pruning would really free.
    """
    found, _ = look(request)
    chosen = [each for each in found.holdings if store in ("", each.store.name)]
    if not chosen:
        raise HelpfulError(f"there is no store called {store!r}", "`modelyard where` lists all of them")
    refused = {problem.path for problem in found.problems if problem.code == "unreadable"}
    lines = [_line(found, holding, refused) for holding in chosen]
    if request.json:
        as_json.emit(documents.Where(lines, found.partial))
    else:
        _print(lines)
    return exit_code(found)


def _line(found: api.Survey, holding: Holding, refused: set[str]) -> documents.WhereLine:
    roots = [_root(root, refused) for root in holding.roots]
    missing = ""
    if not any(root.exists for root in roots):
        nowhere = f"nothing under the roots looks like it ({', '.join(holding.store.markers)})"
        missing = "none of these places is there" if roots else nowhere
        if not roots and not holding.store.markers:
            missing = holding.store.nowhere or "its place lies outside this home"
    elif not holding.artifacts:
        missing = "its folder is there and holds nothing"
    store, prunes = holding.store, [_prune(found, prune) for prune in holding.prunes]
    return documents.WhereLine(
        store.name, store.title, roots, list(store.variables), holding.artifacts, missing, prunes
    )


def _root(root: Root, refused: set[str]) -> documents.RootLine:
    path, exists = shown(root.path), root.row is not None or root.answered
    why = "no such folder"
    if root.remote:
        why = "on another machine: not asked, not counted"
    elif root.endpoint:
        why = "no answer"
    elif path in refused:
        why = "may not be entered"
    return documents.RootLine(path, root.found_by, exists, root.remote, "" if exists else why)


def _prune(found: api.Survey, prune: api.Prune) -> documents.PruneLine:
    known = {each.id for each in found.artifacts}
    sizes = found.freed(name for name in prune.artifacts if name in known)
    return documents.PruneLine(
        prune.title, prune.command, list(prune.artifacts), prune.reported, sizes.freed, sizes.exact, prune.why
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
            line(out, f"  - {root.path}  {root.found_by}, {root.missing}", "dim")
        if store.variables:
            line(out, f"    moved by: {', '.join(store.variables)}", "dim")
        for prune in store.prunes:
            _print_prune(out, prune)


def _print_prune(out: Console, prune: documents.PruneLine) -> None:
    """What a command claims and what it would free, and why the two differ."""
    real = freed(Sizes(freed=prune.freed, exact=prune.exact))
    claim = "" if prune.reported is None else f", said to be {size(prune.reported)}"
    line(out, f"    {prune.title}: `{prune.command}` would free {real}{claim}")
    if prune.why:
        line(out, f"      {prune.why}", "dim")

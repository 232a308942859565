"""Which registry a verb works in, and what its errors look like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.errors import ERROR, REFUSED, USAGE, HelpfulError
from modelyard.cli.options import with_place
from modelyard.walk.text import shown

if TYPE_CHECKING:  # help needs none of them
    from modelyard.library import Reference, Registry
    from modelyard.registry.metadata import Port

HINTS = {
    "no-model": "`modelyard registry ls` lists what is there",
    "no-version": "`modelyard registry ls NAME` lists its versions",
    "bad-address": "`modelyard registry push --help` lists what is a place",
    "wrong-digest": "`modelyard registry verify` lists what else is damaged",
}
FOR_SAFETY = ("version-exists", "exists", "in-use")


def in_registry(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The common options, and which registry it is."""
    option = click.option(
        "--registry", "place", default="models", envvar="MODELYARD_REGISTRY", metavar="DIR", show_default=True,
        help="The folder of the registry; MODELYARD_REGISTRY names it too.",
    )  # fmt: skip
    return option(with_place(verb))


@contextmanager
def opened(place: str) -> Iterator[Registry]:
    """The registry in a folder; what goes wrong with it becomes a sentence with the next command to type."""
    from modelyard.library import Registry
    from modelyard.registry.layout import MARKER

    if not os.path.lexists(os.path.join(place, MARKER)):
        hint = f"`modelyard registry init {shown(place)}` makes one there, --registry DIR names another"
        raise HelpfulError(f"{shown(place)} is no registry of models", hint, USAGE)
    with helpful():
        yield Registry(place)


@contextmanager
def helpful() -> Iterator[None]:
    """Makes an error of the registry one of the command line."""
    from modelyard.registry.errors import RegistryError, UnsafeError

    try:
        yield
    except RegistryError as error:
        refused = isinstance(error, UnsafeError) or error.code in FOR_SAFETY
        hint = error.hint or HINTS.get(error.code, "`modelyard registry --help` lists the verbs")
        raise HelpfulError(shown(error.message), shown(hint), REFUSED if refused else ERROR) from error


def meant(registry: Registry, names: tuple[str, ...]) -> list[Reference]:
    """The versions of some names: a name alone means all of its versions; no names mean everything."""
    from modelyard.library import Reference

    found = []
    for name, versions in registry.models():
        if not names or name in names:
            found += [Reference(name, each) for each in reversed(versions)]
    known = {each.name for each in found} if names else set()
    found += [registry.resolve(each) for each in names if each not in known]
    return list(dict.fromkeys(found))


def ports_text(ports: Sequence[Port]) -> str:
    """`x float32[n, 4]`: n for a free axis."""
    words = []
    for each in ports[:8]:
        sides = ", ".join("n" if side is None else str(side) for side in each.shape)
        words.append(f"{each.name} {each.dtype}[{sides}]")
    return ", ".join(words) + (f" and {len(ports) - 8} more" if len(ports) > 8 else "")

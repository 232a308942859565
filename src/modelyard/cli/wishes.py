"""The options that say what may go: names, kinds, how long unused, how much is enough."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from modelyard.api import Survey
from modelyard.cli.errors import HelpfulError
from modelyard.cli.ls import KINDS, SIZE, SPAN
from modelyard.policies.clean import Wish

R = TypeVar("R")
UNKNOWN = "`modelyard ls -q` prints all ids, `modelyard where` all stores"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed: spans in nanoseconds, sizes in bytes."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    unused_for: int | None
    free: int | None
    until_free: int | None
    keep: tuple[str, ...]
    include: tuple[str, ...]

    @property
    def narrowed(self) -> bool:
        """Whether anything was typed."""
        return any(getattr(self, name) not in ((), None) for name in FIELDS)

    def wish(self, found: Survey, now: int) -> Wish:
        """What is wished of this survey. HelpfulError where a name fits nothing in it."""
        known = {each.id for each in found.artifacts} | {each.store.name for each in found.holdings}
        for name in (*self.names, *self.include):
            if name not in known | {each.group for each in found.artifacts}:
                raise HelpfulError(f"neither a store nor an artifact is called {name!r}", UNKNOWN)
        since = None if self.unused_for is None else now - self.unused_for
        return Wish(self.names, self.kinds, since, self.keep, self.include, self._bytes(found))

    def _bytes(self, found: Survey) -> int | None:
        """How many bytes have to come back; None for all that can."""
        if self.until_free is None:
            return self.free
        space = os.statvfs(found.home)
        missing = max(self.until_free - space.f_bavail * space.f_frsize, 0)
        return missing if self.free is None else max(self.free, missing)


OPTIONS = (
    click.argument("names", nargs=-1, metavar="[STORE or ID]…"),
    click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be repeated."),
    click.option("--unused-for", type=SPAN, metavar="SPAN", help="Only what is known to be unused for this long."),
    click.option("--free", type=SIZE, metavar="SIZE", help="No more than it takes to free this much."),
    click.option("--until-free", type=SIZE, metavar="SIZE", help="No more than it takes until this much is free."),
    click.option("--keep", multiple=True, metavar="TEXT", help="Never what has this in its id; may be repeated."),
    click.option("--include", multiple=True, metavar="ID", help="This one too, though unproven; may be repeated."),
)
FIELDS = tuple(Asked.__dataclass_fields__)


def with_wishes(verb: Callable[..., R]) -> Callable[..., R]:
    """Adds the options to a verb, which gets what was typed as `asked`."""

    @functools.wraps(verb)
    def wrapped(*args: Any, **options: Any) -> R:
        asked = Asked(**{name: options.pop(name) for name in FIELDS})
        return verb(*args, asked=asked, **options)

    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped

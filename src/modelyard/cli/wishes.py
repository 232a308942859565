"""The options that say what may go: names, kinds, how long unused, how much is enough."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click
from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.checkpoints import reached
from modelyard.api.disks import waiting
from modelyard.cli.errors import USAGE, HelpfulError
from modelyard.cli.ls import KINDS, SIZE, SPAN
from modelyard.plan import RATE
from modelyard.policies.checkpoints import Rule
from modelyard.policies.clean import Wish

R = TypeVar("R")
MEGA = 1_000_000
ASKING = "name a store or an id, or choose with --kind, --unused-for, --free or --until-free"
ABOUT = "`modelyard clean checkpoint` with them, or the name of a run"
UNKNOWN = "`modelyard ls -q` prints all ids, `modelyard where` all stores"


class Asked(Struct, frozen=True):
    """What was typed: spans in nanoseconds, sizes in bytes."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    unused_for: int | None
    free: int | None
    until_free: int | None
    keep: tuple[str, ...]
    include: tuple[str, ...]
    prove: bool
    proof_max_age: int
    rate: float
    keep_best: int | None
    keep_last: int | None
    keep_every: int | None
    slim: bool

    @property
    def narrowed(self) -> bool:
        """Whether anything was typed."""
        chosen = (self.names, self.kinds, self.unused_for, self.free, self.until_free, self.keep, self.include)
        return any(each not in ((), None) for each in chosen) or self.rule() != Rule()

    def wish(self, found: Survey, now: int) -> Wish:
        """What is wished of this survey. HelpfulError where a name fits nothing in it."""
        known = {each.id for each in found.artifacts} | {each.store.name for each in found.holdings}
        for name in (*self.names, *self.include):
            if name not in known | {each.group for each in found.artifacts}:
                raise HelpfulError(f"neither a store nor an artifact is called {name!r}", UNKNOWN)
        ids = {each.id for each in found.artifacts}
        for name in self.include:
            if name not in ids:
                raise HelpfulError(f"--include takes one artifact at a time, and {name!r} is more than one", UNKNOWN)
        since = None if self.unused_for is None else now - self.unused_for
        device = None if self.until_free is None else os.stat(found.home).st_dev
        wish = Wish(self.names, self.kinds, since, self.keep, self.include, self._bytes(found), device)
        if self.prove and not wish.asked and not wish.unproven:
            raise HelpfulError("--prove has nothing to ask about", ASKING, USAGE)
        if self.rule() != Rule() and not reached(found, wish):
            raise HelpfulError("--keep-best, --keep-last, --keep-every and --slim are about checkpoints", ABOUT)
        return wish

    def rule(self) -> Rule:
        """What each run keeps."""
        best = 1 if self.keep_best is None else self.keep_best
        return Rule(best, self.keep_last or 1, self.keep_every, self.slim)

    def _bytes(self, found: Survey) -> int | None:
        """How many bytes have to come back; None for all that can."""
        if self.until_free is None:
            return self.free
        space = os.statvfs(found.home)
        waits = waiting(found, os.stat(found.home).st_dev)  # or the same command again would take as much again
        missing = max(self.until_free - space.f_bavail * space.f_frsize - waits, 0)
        return missing if self.free is None else max(self.free, missing)


OPTIONS = (
    click.argument("names", nargs=-1, metavar="[STORE or ID]…"),
    click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be repeated."),
    click.option("--unused-for", type=SPAN, metavar="SPAN", help="Only what is known to be unused for this long."),
    click.option("--free", type=SIZE, metavar="SIZE", help="No more than it takes to free this much."),
    click.option("--until-free", type=SIZE, metavar="SIZE", help="No more than it takes until this much is free."),
    click.option("--keep", multiple=True, metavar="TEXT", help="Never what has this in its id; may be repeated."),
    click.option("--include", multiple=True, metavar="ID", help="This one too, though unproven; may be repeated."),
    click.option("--prove", is_flag=True, help="Ask the sources now whether they still have it, and look for copies."),
    click.option(
        "--proof-max-age", type=SPAN, metavar="SPAN", default="7d", show_default=True, help="How long an answer holds."
    ),
    click.option(
        "--rate",
        type=click.FloatRange(0, min_open=True),
        metavar="MBIT",
        default=RATE / MEGA,
        show_default=True,
        help="Megabits a second at which things come back.",
    ),
    click.option("--keep-best", type=click.IntRange(0), metavar="K", help="Of each run's checkpoints the K best; 1."),
    click.option("--keep-last", type=click.IntRange(1), metavar="N", help="Of each run's checkpoints the N last; 1."),
    click.option("--keep-every", type=click.IntRange(1), metavar="M", help="And those at every M-th step."),
    click.option("--slim", is_flag=True, help="Of all but the last only the weights: no exact resume from those."),
)
FIELDS = tuple(Asked.__struct_fields__)


def with_wishes(verb: Callable[..., R]) -> Callable[..., R]:
    """Adds the options to a verb, which gets what was typed as `asked`."""

    @functools.wraps(verb)
    def wrapped(*args: Any, **options: Any) -> R:
        asked = Asked(**{name: options.pop(name) for name in FIELDS})
        return verb(*args, asked=asked, **options)

    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped

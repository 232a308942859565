"""The options that every verb understands: where to look and how to answer."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R")


class Request(NamedTuple):
    """Where to look and how to answer."""

    home: Path | None = None
    roots: tuple[Path, ...] = ()
    json: bool = False
    cross_device: bool = False
    progress: bool = True
    as_user: bool = False
    wait: float = 0.0
    """Seconds to wait for another modelyard that changes something."""


def _become(home: Path | None) -> None:
    if home is None:
        raise click.UsageError("--as-user needs --home: whose home it is")
    from modelyard.cli.as_user import become_owner  # late: it knows every module

    become_owner(home)


class Folder(click.Path):
    """A folder as a Path; an empty word, as from a variable that is not set, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty word is no folder", param, ctx)
        from pathlib import Path  # late: most commands are given no folder

        return Path(os.fsdecode(super().convert(value, param, ctx)))


def _merged(outer: object, inner: Request) -> Request:
    """Options may stand before or behind the verb."""
    if not isinstance(outer, Request):
        return inner
    return Request(
        inner.home or outer.home,
        outer.roots + inner.roots,
        inner.json or outer.json,
        inner.cross_device or outer.cross_device,
        inner.progress and outer.progress,
        inner.as_user or outer.as_user,
    )


def with_place(verb: Callable[..., R]) -> Callable[..., R]:
    """Adds the common options to a verb, which gets them as its `request`."""

    @click.option(
        "--home",
        type=Folder(),
        metavar="DIR",
        help="Look at this home; variables of this shell and places of this machine are then left out.",
    )
    @click.option(
        "--root",
        "roots",
        type=Folder(),
        metavar="DIR",
        multiple=True,
        help="Look here too; may be repeated.",
    )
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("--cross-device", is_flag=True, help="Walk into file systems mounted below home and the roots.")
    @click.option("--as-user", is_flag=True, help="As root: become the owner of --home before anything else.")
    @click.option("--no-progress", is_flag=True, help="No progress line, even on a terminal.")
    @functools.wraps(verb)
    def wrapped(
        *args: Any,
        home: Path | None,
        roots: tuple[Path, ...],
        as_json: bool,
        cross_device: bool,
        as_user: bool,
        no_progress: bool,
        **rest: Any,
    ) -> R:
        context = click.get_current_context()
        typed = Request(home, roots, as_json, cross_device, not no_progress, as_user)
        request = _merged(context.parent.obj if context.parent else None, typed)
        if request.as_user and not context.invoked_subcommand:
            _become(request.home)
        return verb(*args, request=request, **rest)

    return wrapped

"""The option of verbs that change something: how long to wait for another modelyard that does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from modelyard.cli.ls import SPAN
from modelyard.cli.options import Request
from modelyard.units import SECOND

R = TypeVar("R")


def with_wait(verb: Callable[..., R]) -> Callable[..., R]:
    """Adds it to a verb, below the common options."""

    @click.option(
        "--wait", "waiting", type=SPAN, metavar="SPAN", help="Wait this long for another modelyard; else exit 75."
    )
    @functools.wraps(verb)
    def wrapped(*args: Any, request: Request, waiting: int | None, **rest: Any) -> R:
        return verb(*args, request=request._replace(wait=(waiting or 0) / SECOND), **rest)

    return wrapped

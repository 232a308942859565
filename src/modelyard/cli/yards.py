"""The journals that a verb works with: found by their plan's id, opened under the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelyard import api
from modelyard.api import reclaim
from modelyard.api.reclaim import Ledger
from modelyard.apply.lock import Locked
from modelyard.cli.errors import LOCKED, HelpfulError
from modelyard.cli.looking import place
from modelyard.cli.options import Request


def closed(request: Request) -> reclaim.Yard:
    """The journals of whoever's home is looked at, to read and nothing else."""
    env, home, _ = place(request)
    return reclaim.Yard(env, home, api.this_platform())


@contextmanager
def opened(request: Request) -> Iterator[reclaim.Yard]:
    """The journals and the trash of whoever's home is looked at, for this modelyard alone."""
    try:
        with closed(request) as yard:
            yield yard
    except Locked as held:
        words = "wait until it is done and run again"
        raise HelpfulError(f"{held} is changing things now", words, LOCKED) from held


def ledgers(yard: reclaim.Yard) -> list[Ledger]:
    """The journals that can be read, the oldest first."""
    return [each for each in yard.ledgers() if isinstance(each, Ledger)]


def find(yard: reclaim.Yard, name: str) -> Ledger:
    """The journal of an id or its beginning; without any the latest whose things still wait in the trash."""
    fitting = [each for each in ledgers(yard) if each.plan.id.startswith(name)]
    if not name:
        fitting = [each for each in fitting if each.steps("done")][-1:]
    if len(fitting) != 1:
        why = f"{len(fitting)} plans are called {name!r}" if name else "nothing waits in the trash"
        raise HelpfulError(why, "`modelyard journal` lists all plans")
    return fitting[0]

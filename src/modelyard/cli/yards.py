"""The journals that a verb works with: found by their plan's id, opened under the lock."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from modelyard import api
from modelyard.api import reclaim
from modelyard.api.reclaim import Ledger
from modelyard.apply.lock import Locked
from modelyard.cli.as_user import refuse_foreign
from modelyard.cli.errors import INTERRUPTED, LOCKED, HelpfulError
from modelyard.cli.looking import place
from modelyard.cli.options import Request
from modelyard.units import SECOND

SETTLED = "`modelyard journal` tells what that is; the next start settles what was left half done"


def again(request: Request, *words: str) -> str:
    """A command of modelyard that looks at the same home."""
    home = () if request.home is None else ("--home", str(request.home.absolute()))
    return shlex.join(("modelyard", *words, *home))


def closed(request: Request) -> reclaim.Yard:
    """The journals of whoever's home is looked at, to read and nothing else."""
    env, home, _ = place(request)
    return reclaim.Yard(env, home, api.this_platform(), request.wait)


@contextmanager
def opened(request: Request) -> Iterator[reclaim.Yard]:
    """The journals and the trash of whoever's home is looked at, for this modelyard alone."""
    if not place(request)[1].is_dir():
        raise HelpfulError(f"{place(request)[1]} is not a folder", "give an existing folder, for example `--home ~`")
    refuse_foreign(place(request)[1])
    try:
        with closed(request) as yard:
            yield yard
    except KeyboardInterrupt as stop:
        raise HelpfulError("interrupted; what was done until then stands", SETTLED, INTERRUPTED) from stop
    except Locked as held:
        words = "wait until it is done and run again, or add --wait 10m"
        raise HelpfulError(f"{held} is changing things now", words, LOCKED) from held


def ledgers(yard: reclaim.Yard) -> list[Ledger]:
    """The journals that can be read, the oldest first."""
    return [each for each in yard.ledgers() if isinstance(each, Ledger)]


def older(yard: reclaim.Yard, span: int) -> list[Ledger]:
    """The journals of plans made at least `span` nanoseconds ago whose things wait in the trash."""
    found = [each for each in ledgers(yard) if each.waiting() or each.steps("purging")]
    return [each for each in found if time.time_ns() - _made(each) >= span]


def waits(ledger: Ledger) -> int:
    """Bytes that purging what waits of a plan is predicted to free."""
    return min(sum(ledger.plan.steps[number].freed for number in ledger.waiting()), ledger.plan.predicted)


def _made(ledger: Ledger) -> int:
    return int(datetime.fromisoformat(ledger.plan.created).timestamp()) * SECOND


def find(yard: reclaim.Yard, name: str) -> Ledger:
    """The journal of an id or its beginning; without any the latest whose things still wait in the trash."""
    fitting = [each for each in ledgers(yard) if each.plan.id.startswith(name)]
    if not name:
        fitting = [each for each in fitting if each.steps("done")][-1:]
    if len(fitting) != 1:
        why = f"{len(fitting)} plans are called {name!r}" if name else "nothing waits in the trash"
        raise HelpfulError(why, "`modelyard journal` lists all plans")
    return fitting[0]

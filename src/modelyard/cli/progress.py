"""One line on the terminal while steps are made; taken away when the answer comes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.apply.purge import Progress, silent
from modelyard.cli.options import Request

WIDTH = 40


@contextmanager
def progress(request: Request) -> Iterator[Progress]:
    """What to tell how many steps are done; nobody unless a terminal is there to see it."""
    if not request.progress or not sys.stderr.isatty():
        yield silent
        return
    try:
        yield _tell
    finally:
        print(f"\r{'':<{WIDTH}}\r", end="", file=sys.stderr, flush=True)


def _tell(done: int, total: int) -> None:
    share = 20 * done // max(total, 1)
    print(f"\r{done:>9,} of {total:,}  {'█' * share:░<20}"[: WIDTH + 1], end="", file=sys.stderr, flush=True)

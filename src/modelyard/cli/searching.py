"""The search for equal files that a verb needs, with a line that tells how far it is, and what is remembered after."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelyard import api
from modelyard.api import Survey
from modelyard.api.deduping import Duplicates, duplicate_files
from modelyard.api.digests import digest_cache
from modelyard.api.equality import USUAL, Progress
from modelyard.cli.errors import HelpfulError
from modelyard.cli.looking import ProgressLine, everyone, look, place
from modelyard.cli.options import Request
from modelyard.cli.settings import rules

TURN = 0.1
"""Seconds between two drawings of the line."""
UNKNOWN = "`modelyard ls -q` prints all ids, `modelyard where` all stores; a path has to exist"


class SearchLine(ProgressLine):
    """One line on the terminal, drawn no more often than anybody can read it."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0

    def said(self, words: str) -> None:
        """Draws the line."""
        if time.monotonic() - self._at > TURN or words[1:2] == "/":
            self._at = time.monotonic()
            self.draw(words)


@contextmanager
def telling(request: Request) -> Iterator[Progress | None]:
    """What to call with words, nothing where nobody sees it."""
    line = SearchLine() if request.progress and sys.stderr.isatty() else None
    try:
        yield line.said if line else None
    finally:
        if line:
            line.clear()


def searched(request: Request, names: Sequence[str], *, every: bool, using: bool = False) -> tuple[Survey, Duplicates]:
    """A survey and the equal files in it. Paths among the names are looked at too, wherever they lie.

    `every`: small files too. `using`: who uses what is asked, because something is to be changed.
    """
    paths = [os.path.realpath(name) for name in names if os.path.isabs(name) or os.path.exists(name)]
    folders = [Path(path if os.path.isdir(path) else os.path.dirname(path)) for path in paths]
    request = request._replace(roots=(*request.roots, *folders))
    found, _ = look(request)
    asked = [os.path.realpath(name) if os.path.exists(name) else name for name in names]
    env, home, _ = place(request)
    with digest_cache((env, home, api.this_platform())) as cache, telling(request) as told:
        try:
            return found, duplicate_files(
                found,
                cache,
                asked,
                least=1 if every else USUAL,
                pins=rules(request).pins,
                everyone=everyone(request, found) if using else None,
                progress=told,
            )
        except LookupError as error:
            message = f"neither a store, an artifact nor a path is called {error.args[0]!r}"
            raise HelpfulError(message, UNKNOWN) from error

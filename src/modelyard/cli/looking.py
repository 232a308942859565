"""Runs the survey a verb needs, with a progress line while it takes long."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from modelyard import api
from modelyard.cli.errors import HelpfulError
from modelyard.cli.options import Request
from modelyard.units import size
from modelyard.walk.text import shown

WIDTH = 72


class ProgressLine:
    """One line on the terminal that tells entries, bytes and folder; taken away when the answer comes."""

    def __init__(self) -> None:
        self._drawn = False

    def __call__(self, entries: int, taken: int, folder: bytes) -> None:
        text = f"{entries:>11,} entries  {size(taken):>9}  {shown(folder)}"
        print(f"\r{text[:WIDTH]:<{WIDTH}}", end="", file=sys.stderr, flush=True)
        self._drawn = True

    def clear(self) -> None:
        """Takes the line away."""
        if self._drawn:
            print(f"\r{'':<{WIDTH}}\r", end="", file=sys.stderr, flush=True)


def look(request: Request) -> tuple[api.Survey, float]:
    """The survey that was asked for, and the seconds it took."""
    line = ProgressLine() if request.progress and sys.stderr.isatty() else None
    own = request.home is None
    started = time.perf_counter()
    try:
        found = api.survey(
            os.environ if own else {},
            Path.home() if request.home is None else request.home.absolute(),
            api.this_platform(),
            [root.absolute() for root in request.roots],
            system=own,
            cross_device=request.cross_device,
            progress=line,
        )
    except NotADirectoryError as error:
        raise HelpfulError(str(error), "give an existing folder, for example `modelyard --home ~`") from error
    finally:
        if line:
            line.clear()
    return found, time.perf_counter() - started


def exit_code(found: api.Survey) -> int:
    """130 when Ctrl-C cut the walk short, else 0."""
    if found.partial:
        print("modelyard: interrupted; what was seen until then is above, marked partial", file=sys.stderr)
        return 130
    return 0

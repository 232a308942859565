"""Runs the survey a verb needs, with a progress line while it takes long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from modelyard import api
from modelyard.api.looked import Looked
from modelyard.cli.errors import USAGE, HelpfulError
from modelyard.cli.options import Request
from modelyard.units import size
from modelyard.walk.text import shown

WIDTH = 72


class ProgressLine:
    """One line on the terminal that tells entries, bytes and folder; taken away when the answer comes."""

    def __init__(self) -> None:
        self._drawn = False

    def __call__(self, entries: int, taken: int, folder: bytes) -> None:
        self.draw(f"{entries:>11,} entries  {size(taken):>9}  {shown(folder)}")

    def draw(self, text: str) -> None:
        """Shows this text in place of the last one."""
        print(f"\r{text[:WIDTH]:<{WIDTH}}", end="", file=sys.stderr, flush=True)
        self._drawn = True

    def clear(self) -> None:
        """Takes the line away."""
        if self._drawn:
            print(f"\r{'':<{WIDTH}}\r", end="", file=sys.stderr, flush=True)


def place(request: Request) -> tuple[Mapping[str, str], Path, bool]:
    """The variables and the home to look at, and whether they are those of this user."""
    if request.home is None:
        if os.environ.get("HOME") == "":
            raise HelpfulError("HOME is empty", "set it, or give a folder with --home", USAGE)
        return os.environ, Path.home(), True
    return {}, request.home.absolute(), False


def everyone(request: Request, found: api.Survey) -> api.Everyone:
    """Who uses what of a survey."""
    env, home, own = place(request)
    return api.everyone(found, env, home, api.this_platform(), system=own)


def look(request: Request) -> tuple[api.Survey, float]:
    """The survey that was asked for, and the seconds it took."""
    line = ProgressLine() if request.progress and sys.stderr.isatty() else None
    env, home, own = place(request)
    started = time.perf_counter()
    try:
        found = api.survey(
            env,
            home,
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


def looked(request: Request, found: api.Survey) -> Looked:
    """What is remembered of the artifacts of a survey."""
    env, home, _ = place(request)
    return Looked(found.tree, env, home, api.this_platform())


def exit_code(found: api.Survey) -> int:
    """130 when Ctrl-C cut the walk short, else 0."""
    if found.partial:
        print("modelyard: interrupted; what was seen until then is above, marked partial", file=sys.stderr)
        return 130
    return 0

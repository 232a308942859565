"""Moves on the screen: what goes where, what its owner is told, how far the copy is, and what came of it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard.api.reclaim import Receipt
from modelyard.apply.purge import Progress, silent
from modelyard.cli.looking import ProgressLine
from modelyard.cli.options import Request
from modelyard.cli.output import console, line
from modelyard.cli.yards import again
from modelyard.plan import Move, Plan
from modelyard.units import size

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

INDENT = 9
"""Where texts begin, behind their labels."""


def print_move(plan: Plan) -> None:
    """What moves where and how, the lines that will be written, and what else is to be known."""
    for move in plan.moves:
        _print(move, plan)


def _print(move: Move, plan: Plan) -> None:
    out = console()
    things = f"{move.entries:,} entries" if move.entries != 1 else "1 entry"
    line(out, f"Move {move.artifact}: {size(move.bytes)} in {things}", "bold")
    _say(out, "from", move.source.text)
    _say(out, "to", move.target.text)
    _say(out, "how", "renamed on the same file system" if move.renamed else "copied, read back, then one switch")
    _say(out, "told", f"by a {move.how.replace(' and ', ' and a ')}: {move.why}")
    if move.file is not None:
        _whole(out, "write", move.file.text)
        for each in move.lines:
            _whole(out, "", f"  {each}")
    for each in move.say:
        _whole(out, "set", each)
    for each in move.notes:
        _say(out, "note", each)
    if freed := sum(step.freed for step in plan.steps):
        _say(out, "then", f"the old one waits in the trash: `modelyard purge` frees {size(freed)} there")


def _whole(out: Console, label: str, text: str) -> None:
    """A line that is to be copied or read to its end: never cut or folded."""
    out.print(f"  {label:<{INDENT - 2}}{text}", markup=False, soft_wrap=True)


def _say(out: Console, label: str, text: str) -> None:
    """A sentence under its label, on as many lines as it takes on a terminal."""
    width = max(out.width - INDENT, 20) if out.is_terminal else len(text) + 1
    for number, each in enumerate(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)):
        _whole(out, "" if number else label, each)


@contextmanager
def copying(request: Request, plan: Plan) -> Iterator[Progress]:
    """One line on a terminal: how much is copied and read back."""
    if not plan.moves or not request.progress or not sys.stderr.isatty():
        yield silent
        return
    shown = ProgressLine()
    try:
        yield lambda done, total: shown.draw(f"{done / max(total, 1):>5.0%}  of {size(total)} copied and read back")
    finally:
        shown.clear()


def tell_move(request: Request, plan: Plan, found: Receipt) -> None:
    """What came of a move."""
    out = console()
    done = found.done > 0 and not found.skipped
    for move in plan.moves:
        words = "is at" if done else "stays where it was, not at"
        line(out, f"{move.artifact} {words} {move.target.text}  (plan {found.journal})", "bold")
    if done:
        if found.predicted:
            _whole(out, "", f"`{again(request, 'purge')}` frees {size(found.predicted)}")
        _whole(out, "", f"`{again(request, 'undo', found.journal)}` takes it back")

"""Moves on the screen: what goes where, what its owner is told, how far the copy is, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.api.reclaim import Receipt
from modelyard.apply.purge import Progress, silent
from modelyard.cli.looking import ProgressLine
from modelyard.cli.options import Request
from modelyard.cli.output import console, line
from modelyard.cli.yards import again
from modelyard.plan import Move, Plan
from modelyard.units import size


def print_move(plan: Plan) -> None:
    """What moves where and how, the lines that will be written, and what else is to be known."""
    for move in plan.moves:
        _print(move, plan)


def _print(move: Move, plan: Plan) -> None:
    out = console()
    things = f"{move.entries:,} entries" if move.entries != 1 else "1 entry"
    line(out, f"Move {move.artifact}: {size(move.bytes)} in {things}", "bold")
    line(out, f"  from   {move.source.text}")
    line(out, f"  to     {move.target.text}")
    ways = "renamed on the same file system" if move.renamed else "copied, read back from the disk, then one switch"
    line(out, f"  how    {ways}")
    line(out, f"  told   by {'a ' if move.how != 'setting and link' else ''}{move.how}: {move.why}")
    if move.file is not None:
        line(out, f"  write  {move.file.text}")
        for each in move.lines:
            line(out, f"           {each}")
    for each in move.say:
        line(out, f"  set    {each}")
    for each in move.notes:
        line(out, f"  note   {each}")
    freed = sum(step.freed for step in plan.steps)
    if freed:
        line(out, f"  then   the old one waits in the trash: `modelyard purge` frees {size(freed)} there")


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
    done = not found.skipped and not found.failed
    for move in plan.moves:
        words = "is at" if done else "stays where it was, not at"
        line(out, f"{move.artifact} {words} {move.target.text}  (plan {found.journal})", "bold")
    if done:
        frees = f"`{again(request, 'purge')}` frees {size(found.predicted)}; " if found.predicted else ""
        line(out, f"{frees}`{again(request, 'undo', found.journal)}` takes it back")

"""How things look: tables on a terminal, tab-separated lines in a pipe, bars, and paths that never wrap."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelyard.inventory import Sizes
from modelyard.units import size

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console, JustifyMethod

PIPE_WIDTH = 100
BLOCKS = " ▏▎▍▌▋▊▉█"


def console() -> Console:
    """The console for stdout; no colour in a pipe or with NO_COLOR, and a fixed width where there is no terminal."""
    from rich.console import Console

    told = os.environ.get("COLUMNS", "")
    width = int(told) if told.isdecimal() and int(told) else None
    sane = {name: value for name, value in os.environ.items() if name != "COLUMNS" or width}
    if sys.stdout.isatty():
        return Console(highlight=False, _environ=sane)
    return Console(highlight=False, force_terminal=False, no_color=True, width=width or PIPE_WIDTH, _environ=sane)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` terminal cells, its middle replaced by `…`."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    head = max((width - 1) // 2, 0)
    left, right = "", ""
    for letter in text:
        if cell_len(left + letter) > head:
            break
        left += letter
    for letter in reversed(text):
        if cell_len(left + right + letter) > width - 1:
            break
        right = letter + right
    return f"{left}…{right}"


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell for a share from 0 to 1."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (BLOCKS[rest] if rest else "")).ljust(width)


def freed(sizes: Sizes) -> str:
    """The bytes a removal frees; `at least` where something could not be known."""
    return size(sizes.freed) if sizes.exact else f"at least {size(sizes.freed)}"


def many(count: int, what: str = "artifact") -> str:
    """So many of something, in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def line(out: Console, text: str, style: str = "") -> None:
    """One line that never wraps: on a terminal its middle gives way, in a pipe it is whole."""
    out.print(shorten(text, out.width) if out.is_terminal else text, style=style, markup=False, soft_wrap=True)


def say(out: Console, text: str, style: str = "") -> None:
    """A sentence: on a terminal it wraps at words, in a pipe it is one line."""
    from rich.text import Text

    out.print(Text(text, style), soft_wrap=not out.is_terminal)


def table(
    out: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    flexible: int,
    spare: Sequence[int] = (),
) -> None:
    """Rows under heads. On a terminal the flexible column is shortened to fit, after the spare columns have gone
    one by one to leave it room; in a pipe everything is there.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    if not out.is_terminal:
        for row in (heads, *rows):
            print("\t".join(row), file=out.file)
        return
    widths = [max(cell_len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    shown = list(range(len(heads)))
    for at in spare:
        if sum(widths[each] + 2 for each in shown) > out.width:
            shown = [each for each in shown if each != at]
    room = out.width - sum(widths[each] + 2 for each in shown) + widths[flexible]
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_header=any(heads))
    for at in shown:
        least = None if at == flexible else widths[at]  # a cut number is a wrong number
        side: JustifyMethod = "right" if at in right else "left"
        drawn.add_column(heads[at], justify=side, no_wrap=True, overflow="crop", min_width=least)
    for row in rows:
        drawn.add_row(*(Text(shorten(row[at], max(room, 16)) if at == flexible else row[at]) for at in shown))
    out.print(drawn)


def by_reason(
    out: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), flexible: int
) -> None:
    """A table whose last column tells why. On a terminal too narrow for it each reason stands whole above its rows."""
    from rich.cells import cell_len
    from rich.text import Text

    widths = [max(cell_len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    if not out.is_terminal or sum(widths) + 2 * len(widths) <= out.width:
        table(out, heads, rows, right=right, flexible=flexible)
        return
    reasons: dict[str, list[Sequence[str]]] = {}
    for row in rows:
        reasons.setdefault(row[-1], []).append(row[:-1])
    for why, members in reasons.items():
        out.print(Text(why, "dim"))
        table(out, [""] * (len(heads) - 1), members, right=right, flexible=flexible)

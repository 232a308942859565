"""`modelyard doctor`: what is wrong on this machine before it costs anything, and what to type."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import asdict
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from modelyard import api
from modelyard.api.unfinished import unfinished
from modelyard.cli import as_json, documents
from modelyard.cli.errors import COMPLAINTS
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console
from modelyard.cli.yards import closed
from modelyard.doctor import CHECKS
from modelyard.doctor.complaint import SEVERITIES, TO_MEND, Complaint, Severity

HEADS: dict[Severity, tuple[str, str]] = {
    "danger": ("Dangers: bytes or secrets may be lost", "bold red"),
    "fault": ("Faults: they cost time or space", "bold yellow"),
    "note": ("Worth knowing", "bold cyan"),
    "unchecked": ("Could not be checked", "bold"),
}
ALIKE = 4
"""How many complaints of one kind a screen shows."""


@click.command("doctor")
@with_place
def command(request: Request) -> int:
    """What is wrong on this machine before it costs anything, each with the command that mends it.

    Reads only: no command is run, no secret is opened, nothing is sent anywhere. Exit code 5 when there is something
    to mend, 0 when there are notes at most.
    """
    found, _ = look(request)
    own = request.home is None
    home = Path.home() if request.home is None else request.home.absolute()
    copies = unfinished(closed(request))
    told = api.examine(found, os.environ if own else {}, home, api.this_platform(), time.time_ns(), copies)
    if request.json:
        lines = [documents.ComplaintLine(**asdict(each)) for each in told]
        as_json.emit(documents.Examined(lines, len(CHECKS), found.partial))
    else:
        _print(told, len(found.artifacts))
    return exit_code(found) or (COMPLAINTS if any(each.severity in TO_MEND for each in told) else 0)


def _print(told: Sequence[Complaint], artifacts: int) -> None:
    out = console()
    counts = Counter(each.severity for each in told)
    mend = sum(counts[each] for each in TO_MEND)
    if not mend:
        out.print(
            f"Nothing to mend: {len(CHECKS)} checks, {artifacts:,} artifact{'s' if artifacts != 1 else ''}.",
            style="bold green",
        )
    for severity in SEVERITIES:
        if counts[severity]:
            head, style = HEADS[severity]
            if severity != told[0].severity or not mend:
                out.print()
            out.print(f"{head} ({counts[severity]:,})", style=style)
            _group(out, [each for each in told if each.severity == severity])


def _group(out: Console, told: Sequence[Complaint]) -> None:
    left = Counter(each.code for each in told)
    seen: Counter[str] = Counter()
    for each in told:
        seen[each.code] += 1
        if seen[each.code] <= ALIKE:
            _one(out, each)
        if seen[each.code] == left[each.code] > ALIKE:
            _prose(out, f"and {left[each.code] - ALIKE:,} more like it: --json lists them all", 2, "dim")


def _one(out: Console, each: Complaint) -> None:
    """What is wrong, what comes of it, and the command in one line that can be copied whole."""
    _prose(out, _sentence(each.message), 2, "")
    _prose(out, _sentence(each.consequence), 4, "dim")
    if each.command:
        out.print(Text.assemble("    ", ("$ ", "dim"), (each.command, "green")), soft_wrap=True)
    if each.caution:
        _prose(out, f"({each.caution})", 4, "dim")


def _sentence(text: str) -> str:
    """The first letter of a word raised; names and paths stay as they are."""
    first = text.partition(" ")[0]
    return (text[:1].upper() + text[1:] if first.isalpha() else text) + "."


def _prose(out: Console, text: str, indent: int, style: str) -> None:
    """Words that wrap at the edge of a terminal; in a pipe one line."""
    if out.is_terminal:
        out.print(Padding(Text(text, style), (0, 0, 0, indent)))
    else:
        out.print(" " * indent + text, markup=False, soft_wrap=True)

"""What verify found, on the screen and as a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelyard.api.checking import STATES, Outcome, path_of
from modelyard.api.expecting import Wanted
from modelyard.api.verifying import Run, Summary, summaries
from modelyard.cli import documents
from modelyard.units import rfc3339

if TYPE_CHECKING:
    from modelyard.api.repairing import Repair

STYLES = {
    "ok": "green", "unverifiable": "dim", "changed": "yellow", "unreadable": "magenta", "missing": "bold red",
    "truncated": "bold red", "corrupt": "bold red",
}  # fmt: skip
QUIET = ("ok", "unverifiable")
MOST = 40
DIGEST = re.compile(r"\b[0-9a-f]{32,}\b")


def print_found(found: Sequence[Outcome], wanted: Wanted, everything: bool) -> None:
    """The files that are not as they should be, the worst first; artifacts by state where they are asked for."""
    from rich.text import Text

    from modelyard.cli.output import console, line, table

    out = console()
    bad = [each for each in found if each.state not in QUIET]
    bad.sort(key=lambda each: (-STATES.index(each.state), each.item.path))
    for each in bad[:MOST]:
        out.print(Text.assemble((f"{each.state:<10} ", STYLES[each.state]), path_of(each)), soft_wrap=True)
        if each.expected:
            line(out, f"           expected {short(each.expected)}", "dim")
        line(out, f"           found {short(each.found)}", "dim")
        if each.item.artifacts:
            more = len(each.item.artifacts) - 1
            line(out, f"           of {each.item.artifacts[0]}" + (f" and {more:,} more" if more else ""), "dim")
    if len(bad) > MOST:
        line(out, f"and {len(bad) - MOST:,} more: --json lists them all", "dim")
    listed = summaries(found, wanted)
    if everything or len(wanted.artifacts) == 1:
        rows = [(each.state, _counts(each), each.id or "files of no artifact") for each in listed]
        table(out, ("State", "Files", "Artifact"), rows, flexible=2)


def short(words: str) -> str:
    """Words with as much of each digest as tells it from others; JSON has the whole."""
    return DIGEST.sub(lambda found: f"{found[0][:12]}…", words)


def _counts(each: Summary) -> str:
    """How many files in which state; whole files by what tells it."""
    parts = []
    for state in reversed(STATES):
        count = each.counts.get(state, 0)
        if state == "ok" and count:
            by_format = count - each.digests
            parts += [f"{each.digests:,} ok"] if each.digests else []
            parts += [f"{by_format:,} whole by format"] if by_format else []
        elif count:
            parts.append(f"{count:,} {state}")
    return ", ".join(parts) or "nothing recorded"


def as_document(
    found: Sequence[Outcome], wanted: Wanted, run: Run, read: int, repairs: Sequence[Repair] = ()
) -> documents.VerifiedFiles:
    """What was found as a document."""
    lines = [
        documents.OutcomeLine(
            each.id,
            "",
            each.state,
            "",
            _found(each, wanted),
            {str(state): count for state, count in each.counts.items()},
            each.bytes,
            rfc3339(each.at) if each.at else None,
        )
        for each in summaries(found, wanted)
    ]
    lines += [
        documents.OutcomeLine(
            each.item.artifacts[0] if each.item.artifacts else "",
            path_of(each),
            each.state,
            each.expected,
            each.found,
            {},
            each.item.seen.size if each.item.seen else 0,
            rfc3339(each.at) if each.how != "name" else None,
        )
        for each in found
        if each.state != "ok"
    ]
    digests = sum(each.state == "ok" and each.how == "digest" for each in found)
    return documents.VerifiedFiles(
        lines,
        dict(Counter(each.state for each in found)),
        digests,
        read,
        run.left_out,
        rfc3339(run.resumed) if run.resumed else None,
        repair_lines(repairs),
    )


def _found(each: Summary, wanted: Wanted) -> str:
    unrecorded = wanted.unrecorded.get(each.id, 0)
    return f"{unrecorded:,} files that nobody recorded" if unrecorded else ""


def repair_lines(repairs: Sequence[Repair]) -> list[documents.RepairLine]:
    """What can be done, as lines of a document."""
    return [
        documents.RepairLine(each.artifact, path_of(each.outcome), each.how, each.words, each.size) for each in repairs
    ]

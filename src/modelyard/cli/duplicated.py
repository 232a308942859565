"""What `modelyard dupes` found, on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nlargest
from typing import TYPE_CHECKING

from msgspec import Struct, field
from rich.console import Console

from modelyard.api.deduping import Duplicates, Twins
from modelyard.cli import documents
from modelyard.cli.output import console, line, many, shorten, table
from modelyard.policies.dedupe import Pairing
from modelyard.units import size
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.api.alike import Resembling

SHOWN = 12
WORDS = {"share": "share extents", "link": "hard link", "none": "nothing", "kept": "stays"}
NO_EXTENTS = "nothing comes back: extents are shared already, or cannot be (file system, place in a block)"


def print_found(files: Duplicates, more: Resembling | None, lines: Sequence[documents.FormatsLine]) -> None:
    """The groups that give most, the tensors that files share, and models in several formats, `lines`."""
    out = console()
    equal = files.search.equal
    if not equal and not lines and not (more and more.tensors):
        line(out, "Nothing is kept twice. Files under 64 KiB are left out; --all looks at them too.")
    if equal:
        _print_files(out, files, _tallied(files))
    if more and more.tensors:
        out.print(f"\nTensors  {many(len(more.tensors), 'pair')} of files", style="bold", highlight=False)
        gains = {(each.kept.path, each.other.path): each for each in more.common}
        pairs = []
        for each in more.tensors[:SHOWN]:
            gain = gains.get((each.one.path, each.other.path))
            had = size(gain.freed) if gain else "-"
            one, other = _label(files, each.one.path), _label(files, each.other.path)
            pairs.append((f"{each.part:.0%}", size(each.size), had, other, shorten(one, _room(out))))
        table(out, ("Same", "Bytes", "To be had", "Of", "In"), pairs, right=(0, 1, 2), flexible=3)
        total = sum(each.freed for each in more.common)
        if total:
            line(out, f"`modelyard dedupe --tensors` lets them share their extents: {size(total)}, no byte changes")
        else:
            line(out, NO_EXTENTS, "dim")
    if lines:
        out.print(f"\nFormats  {len(lines):,}", style="bold", highlight=False)
        rows = [(size(each.bytes), each.kind, "  =  ".join(each.paths), each.how) for each in lines[:SHOWN]]
        table(out, ("Bytes", "What", "Where", "How"), rows, right=(0,), flexible=2, spare=(3,))
    _print_end(out, files)


class _Tally(Struct):
    """What all groups come to, so that nobody has to hold them at once: the files that something is to be had from,

    the bytes, the groups that give most, and of the others how many for each reason, with one of its pairs.
    """

    gains: int = 0
    freed: int = 0
    best: list[Twins] = []
    reasons: Counter[str] = field(default_factory=Counter)
    firsts: dict[str, Pairing] = {}


def _tallied(files: Duplicates) -> _Tally:
    tally = _Tally()
    tally.best = nlargest(SHOWN, _with_gains(files, tally), key=lambda each: each.freed)
    return tally


def _with_gains(files: Duplicates, tally: _Tally) -> Iterator[Twins]:
    """The groups that something is to be had from; all of them are counted."""
    for twins in files.twins():
        before = tally.gains
        for each in twins.pairings:
            if each.way == "none":
                tally.reasons[each.why] += 1
                tally.firsts.setdefault(each.why, each)
            else:
                tally.gains += 1
        tally.freed += twins.freed
        if tally.gains > before:
            yield twins


def _print_files(out: Console, files: Duplicates, tally: _Tally) -> None:
    count = sum(len(each.rows) - 1 for each in files.search.equal)
    out.print(f"\nFiles  {count:,} that another one equals", style="bold", highlight=False)
    gains = [each for twins in tally.best for each in twins.pairings if each.way != "none"]
    rows = [
        (
            size(each.freed),
            WORDS[each.way],
            _label(files, each.other.path),
            shorten(_label(files, each.kept.path), _room(out)),
        )
        for each in gains[:SHOWN]
    ]
    if rows:
        table(out, ("To be had", "How", "File", "Equal to"), rows, right=(0,), flexible=2)
    if tally.gains > SHOWN:
        out.print(f"and {tally.gains - SHOWN:,} more: --json lists them all", style="dim")
    for why, alone in tally.reasons.most_common(4):
        first = tally.firsts[why]
        line(out, f"Nothing to be had from {alone:,}: {why}")
        line(out, f"  {_label(files, first.other.path)}  =  {_label(files, first.kept.path)}", "dim")
    if tally.freed:
        line(out, f"`modelyard dedupe` gets {size(tally.freed)} back", "bold")


def _label(files: Duplicates, path: bytes) -> str:
    return shown(path.removeprefix(files.search.tree.home + b"/"))


def _room(out: Console) -> int:
    """Columns for a path beside the one that gives way."""
    return max(out.width // 3, 20) if out.is_terminal else 10_000


def _print_end(out: Console, files: Duplicates) -> None:
    search = files.search
    first = search.told[0].files if search.told else 0
    line(out, f"{many(first, 'file')} of a size that another one has; {size(search.read)} read", "dim")
    named = sum(each.proof == "name" for each in search.equal)
    if named:
        line(out, f"{many(named, 'group')} known by names that are digests: dedupe proves it again", "dim")
    if search.problems:
        line(out, f"{len(search.problems):,} files could not be read: --json names them", "dim")
    if search.partial:
        line(out, "interrupted: what was proven until then is above")

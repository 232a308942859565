"""`modelyard dupes`: what is kept more than once, how that is known, and what could be had from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from rich.console import Console

from modelyard.api.deduping import Duplicates, Twins
from modelyard.cli import as_json, documents
from modelyard.cli.looking import exit_code
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, many, shorten, table
from modelyard.cli.searching import searched, telling
from modelyard.policies.dedupe import Pairing
from modelyard.units import size
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.api.alike import Resembling

SHOWN = 12
WORDS = {"share": "share extents", "link": "hard link", "none": "nothing", "kept": "stays"}
LOSSY = "the narrow one can be made from the wide one again with `modelyard convert`, never the other way"
TWO = "one of the two would do"
NO_EXTENTS = "no extents can be shared: file system, place in a block, or parts of extents"
UNPROVEN = "kept for several frameworks by their usual names; not compared"


@click.command("dupes")
@click.argument("names", nargs=-1, metavar="[STORE or PATH or ID]…")
@click.option("--all", "every", is_flag=True, help="Files under 64 KiB too.")
@click.option("--files-only", is_flag=True, help="No tensors and no formats: equal files alone.")
@with_place
def command(request: Request, names: tuple[str, ...], every: bool, files_only: bool) -> int:
    """What is kept more than once: equal files, tensors that files share, and one model in several formats.

    Files are told apart by size, names that are digests, samples of their tensors, and at last by a digest of every
    byte. Hard links and files that share their extents already are no duplicates. Nothing is changed; what was read is
    remembered, so that a second run reads nothing.
    """
    found, files = searched(request, names, every=every)
    more = None
    if not files_only and not files.search.partial:
        from modelyard.api.alike import resembling  # late: it knows every format

        with telling(request) as told:
            more = resembling(found, files, told)
    if request.json:
        as_json.emit(document(files, more, partial=found.partial))
    else:
        _print(console(), files, more)
    return 130 if files.search.partial else exit_code(found)


def _print(out: Console, files: Duplicates, more: Resembling | None) -> None:
    lines = list(_formats(more))
    if not files.twins and not lines and not (more and more.tensors):
        line(out, "Nothing is kept twice. Files under 64 KiB are left out; --all looks at them too.")
    if files.twins:
        _print_files(out, files)
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


def _print_files(out: Console, files: Duplicates) -> None:
    twins = sorted(files.twins, key=lambda each: -each.freed)
    count = sum(len(each.files) - 1 for each in twins)
    out.print(f"\nFiles  {count:,} that another one equals", style="bold", highlight=False)
    gains = [each for group in twins for each in group.pairings if each.way != "none"]
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
    if len(gains) > SHOWN:
        out.print(f"and {len(gains) - SHOWN:,} more: --json lists them all", style="dim")
    _print_reasons(out, files)
    freed = sum(each.freed for each in twins)
    if freed:
        line(out, f"`modelyard dedupe` gets {size(freed)} back", "bold")


def _print_reasons(out: Console, files: Duplicates) -> None:
    """Why nothing is to be had from the others, the commonest reasons first, each with one of its pairs."""
    alone = [each for each in files.pairings if each.way == "none"]
    for why, count in Counter(each.why for each in alone).most_common(4):
        first = next(each for each in alone if each.why == why)
        line(out, f"Nothing to be had from {count:,}: {why}")
        line(out, f"  {_label(files, first.other.path)}  =  {_label(files, first.kept.path)}", "dim")


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


def document(files: Duplicates, more: Resembling | None, *, partial: bool) -> documents.Duplicated:
    """Everything that was found, as JSON."""
    gains = {(each.kept.path, each.other.path): each for each in more.common} if more else {}
    tensors = []
    for each in more.tensors if more else ():
        gain = gains.get((each.one.path, each.other.path))
        had = gain.freed if gain else 0
        one, other = shown(each.one.path), shown(each.other.path)
        tensors.append(documents.AlikeLine(one, other, len(each.shared), each.size, round(each.part, 4), had))
    return documents.Duplicated(
        [_equal(each) for each in files.twins],
        tensors,
        list(_formats(more)),
        sum(each.freed for each in files.twins),
        [documents.PhaseLine(each.phase, each.files, each.groups, each.read) for each in files.search.told],
        files.search.partial or partial,
        as_json.problems(tuple(files.search.problems)),
    )


def _equal(twins: Twins) -> documents.EqualLine:
    by_other: dict[bytes, Pairing] = {each.other.path: each for each in twins.pairings}
    lines = []
    for each in twins.files:
        told = by_other.get(each.path)
        way, freed, why = (told.way, told.freed, told.why) if told else ("kept", 0, "")
        lines.append(
            documents.EqualFileLine(
                each.shown, each.artifact or None, each.store or None, len(each.paths), way, freed, why
            )
        )
    return documents.EqualLine(twins.equal.size, twins.equal.proof, twins.freed, lines, list(twins.sharing))


def _formats(more: Resembling | None) -> Iterator[documents.FormatsLine]:
    if more is None:
        return
    for each in more.twins:
        yield documents.FormatsLine("same weights", _two(each.one.path, each.other.path), each.other.size, TWO)
    for cast in more.casts:
        yield documents.FormatsLine("cast", _two(cast.wide.path, cast.narrow.path), cast.narrow.size, LOSSY)
    for beside in more.formats:
        names = [f"{shown(beside.folder)} ({', '.join(beside.names)})"]
        yield documents.FormatsLine("formats", names, beside.size, UNPROVEN)


def _two(one: bytes, other: bytes) -> list[str]:
    return [shown(one), shown(other)]

"""`modelyard dupes`: what is kept more than once, how that is known, and what could be had from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from modelyard.api.deduping import Duplicates, Twins
from modelyard.cli import as_json, documents
from modelyard.cli.looking import exit_code
from modelyard.cli.options import Request, with_place
from modelyard.cli.searching import searched, telling
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.api.alike import Resembling

LOSSY = "the narrow one can be made from the wide one again with `modelyard convert`, never the other way"
TWO = "one of the two would do"
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
        whole = document(files, more, partial=found.partial)
        as_json.emit_long(whole, _equal_lines(files, whole))
    else:
        from modelyard.cli.duplicated import print_found  # late: it draws tables

        print_found(files, more, list(_formats(more)))
    return 130 if files.search.partial else exit_code(found)


def document(files: Duplicates, more: Resembling | None, *, partial: bool) -> documents.Duplicated:
    """What was found but for the equal files, as JSON."""
    gains = {(each.kept.path, each.other.path): each for each in more.common} if more else {}
    tensors = []
    for each in more.tensors if more else ():
        gain = gains.get((each.one.path, each.other.path))
        had = gain.freed if gain else 0
        one, other = shown(each.one.path), shown(each.other.path)
        tensors.append(documents.AlikeLine(one, other, len(each.shared), each.size, round(each.part, 4), had))
    return documents.Duplicated(
        [],
        tensors,
        list(_formats(more)),
        0,
        [documents.PhaseLine(each.phase, each.files, each.groups, each.read) for each in files.search.told],
        files.search.partial or partial,
        as_json.problems(tuple(files.search.problems)),
    )


def _equal_lines(files: Duplicates, whole: documents.Duplicated) -> Iterator[documents.EqualLine]:
    """The groups of equal files, one by one; what they free is added to the document. Ctrl-C ends them."""
    try:
        for twins in files.twins():
            found = _equal(twins)
            whole.freed += found.freed
            yield found
    except KeyboardInterrupt:
        files.search.partial = whole.partial = True


def _equal(twins: Twins) -> documents.EqualLine:
    by_other = {each.other.path: each for each in twins.pairings}
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

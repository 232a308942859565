"""`modelyard registry verify` and `diff`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from modelyard.cli import as_json, documents
from modelyard.cli.errors import COMPLAINTS
from modelyard.cli.options import Request
from modelyard.cli.output import console, line, table
from modelyard.cli.registry_place import in_registry, meant, opened
from modelyard.units import size
from modelyard.walk.text import shown

if TYPE_CHECKING:  # help needs none of them
    from modelyard.registry.diffing import Difference, Entry, TensorChange
    from modelyard.registry.verifying import Verified

SHOWN = 20


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME[@VERSION]]...")
@in_registry
def verify_command(request: Request, place: str, names: tuple[str, ...]) -> int:
    """Whether every file is what was saved: by SHA-256, and by the structure of its format. Exit code 5 if not.

    Told apart: corrupt, missing, extra (put there later), unreadable, newer (of a later modelyard). Without NAME all.
    """
    from modelyard.cli.looking import ProgressLine
    from modelyard.registry.verifying import verify

    drawn = ProgressLine() if request.progress and sys.stderr.isatty() else None
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        if drawn:
            drawn.draw(f"{size(done)} verified")

    with opened(place) as registry:
        found = [each for which in meant(registry, names) for each in verify(registry.root, which, told)]
        root = shown(registry.root)
    if drawn:
        drawn.clear()
    sound = all(each.state == "ok" for each in found)
    if request.json:
        items = [
            documents.VerifiedLine(each.version, shown(each.path), each.state, each.why, each.bytes) for each in found
        ]
        as_json.emit(documents.VerifiedVersions(root, items, sound))
    else:
        _print(found)
    return 0 if sound else COMPLAINTS


def _print(found: list[Verified]) -> None:
    out = console()
    bad = [each for each in found if each.state != "ok"]
    if bad:
        rows = [(each.state, shown(each.version), shown(each.path), shown(each.why)) for each in bad]
        table(out, ("State", "Version", "File", "Why"), rows, flexible=3)
    versions = len({each.version for each in found})
    words = (
        f"{versions:,} versions, {len(found) - len(bad):,} files sound, {size(sum(each.bytes for each in found))} read"
    )
    line(out, f"{words}; {len(bad):,} not" if bad else words, "bold")


@click.command("diff")
@click.argument("before", metavar="NAME[@VERSION]")
@click.argument("after", metavar="NAME[@VERSION]")
@in_registry
def diff_command(request: Request, place: str, before: str, after: str) -> int:
    """What differs between two versions: tensors, metrics, configuration. `diff net@1.0.0 net@production`."""
    with opened(place) as registry:
        found = registry.diff(before, after)
    if request.json:
        as_json.emit(_document(found))
    else:
        _tell(found)
    return 0


def _document(found: Difference) -> documents.Compared:
    def entries(some: tuple[Entry, ...]) -> list[documents.EntryLine]:
        return [documents.EntryLine(each.name, each.before, each.after) for each in some]

    tensors = [
        documents.TensorDifference(each.name, each.change, each.before, each.after, each.largest)
        for each in found.tensors
    ]
    return documents.Compared(
        str(found.before), str(found.after), found.equal, found.same_tensors, tensors,
        entries(found.metrics), entries(found.config), entries(found.files),
    )  # fmt: skip


def _tell(found: Difference) -> None:
    out = console()
    line(out, f"{found.before} and {found.after}" + (" are equal" if found.equal else ""), "bold")
    for title, entries in (("Metrics", found.metrics), ("Configuration", found.config), ("Files", found.files)):
        if entries:
            rows = [(shown(each.name), shown(each.before), shown(each.after)) for each in entries[:SHOWN]]
            out.print()
            table(out, (title, str(found.before.version), str(found.after.version)), rows, flexible=0)
            _more(len(entries))
    if found.tensors:
        out.print()
        heads = ("Tensor", "Change", str(found.before.version), str(found.after.version), "Largest")
        table(out, heads, [_line(each) for each in found.tensors[:SHOWN]], right=(4,), flexible=0)
        _more(len(found.tensors))
    if found.same_tensors:
        line(out, f"{found.same_tensors:,} tensors are equal")


def _line(each: TensorChange) -> tuple[str, ...]:
    largest = "" if each.largest is None else f"{each.largest:.3g}"
    return shown(each.name), each.change, each.before, each.after, largest


def _more(count: int) -> None:
    if count > SHOWN:
        line(console(), f"and {count - SHOWN:,} more: --json lists them")

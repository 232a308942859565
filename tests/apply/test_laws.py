"""The laws of removing, on every store: what others need stays whole, and everything comes back."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Collection
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import makers
import oracle
from apply.work import apply, journal_file, plan_for, take_back
from modelyard import api
from modelyard.apply import journal as journals
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.plan import Plan, Step
from modelyard.policies.removal import steps


def content(path: Path) -> str:
    """A digest of a file, the text of a link, or that it is a folder; links are followed to what they give."""
    if path.is_symlink():
        return f"link {os.readlink(path)} {digest(path) if path.is_file() else ''}"
    return digest(path) if path.is_file() else "folder"


def digest(path: Path) -> str:
    """Of the size of a file and all its data with their places; the holes of a virtual machine's disk are not read."""
    found = hashlib.sha256(b"%d" % path.stat().st_size)
    with path.open("rb", buffering=0) as file:
        start = end = 0
        while (start := _next(file, end, os.SEEK_DATA)) >= 0:
            end = _next(file, start, os.SEEK_HOLE)
            found.update(b"%d " % start + os.pread(file.fileno(), end - start, start))
    return found.hexdigest()


def _next(file: FileIO, at: int, what: int) -> int:
    """Where data or a hole begins, -1 behind the last."""
    try:
        return os.lseek(file.fileno(), at, what)
    except OSError as error:
        assert error.errno == errno.ENXIO
        return -1


def everything(home: Path) -> dict[Path, str]:
    """Everything below a home but for what modelyard itself keeps."""
    mine = (home / "state", home / "own")
    return {path: content(path) for path in oracle.below(home) if not any(path.is_relative_to(each) for each in mine)}


def look(home: Path, store: str) -> api.Survey:
    """A survey with what leads to the store's layout."""
    return api.survey(makers.variables(store, home), home, "linux", system=False)


def emptied(found: api.Survey, numbers: set[int]) -> set[Path]:
    """Folders that may go with the last of what was in them; a file in one of them may not."""
    waiting = [holder for number in numbers if (holder := found.artifacts[number].holder) is not None]
    folders = set()
    while waiting:
        row = waiting.pop()
        folders.add(Path(os.fsdecode(found.tree.path(row))))
        waiting += [each for each in found.tree.children(row).values() if found.tree.is_folder(each)]
    return folders


def held_by(found: api.Survey, numbers: Collection[int]) -> set[Path]:
    """Every path of these artifacts, their folders' contents too, but for what a narrower artifact took out."""
    rows = {row for number in numbers for row in found.artifacts[number].rows}
    return {path for row in rows for path in oracle.below(Path(os.fsdecode(found.tree.path(row))))}


def remove(home: Path, store: str, chosen: Collection[int]) -> tuple[api.Survey, Plan]:
    """Removes these artifacts."""
    found = look(home, store)
    made: list[Step] = steps(found.tree, found.claims, found.artifacts, chosen, {})
    plan = plan_for([], home)
    plan = Plan("clean", plan.created, plan.origin, made, [], 0, True, "unproven", []).sealed()
    apply(home, plan, Disk())
    ledger = journals.read(journal_file(home, plan))
    assert isinstance(ledger, Ledger)
    assert set(ledger.states) <= {"done"}, ledger.reasons
    return found, plan


@pytest.mark.parametrize("store", sorted(makers.layouts()))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_removing_any_set_leaves_every_other_artifact_whole_and_can_be_undone(
    store: str, home: Path, data: st.DataObject
) -> None:
    for path in home.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    makers.layouts()[store](home)
    before = everything(home)
    found = look(home, store)
    numbers = list(range(len(found.artifacts)))
    chosen = data.draw(st.sets(st.sampled_from(numbers), min_size=1))
    others = set(numbers) - chosen
    allowed = held_by(found, chosen)
    needed = held_by(found, others) - {path for path in allowed if inner(found, path, chosen)}
    found, plan = remove(home, store, chosen)
    after = everything(home)
    assert {path: after.get(path) for path in needed} == {path: before[path] for path in needed}
    assert set(before) - set(after) - emptied(found, chosen) <= allowed
    take_back(home, plan, Disk())
    assert everything(home) == before


def inner(found: api.Survey, path: Path, chosen: Collection[int]) -> bool:
    """Whether the narrowest claim on a path is one of the chosen alone."""
    row = found.tree.find(path)
    assert row is not None
    return set(found.claims.owners_of(row)) <= set(chosen)


@pytest.mark.parametrize("store", sorted(makers.layouts()))
def test_what_is_said_to_be_freed_is_what_lies_in_the_trash(store: str, home: Path) -> None:
    makers.layouts()[store](home)
    found = look(home, store)
    chosen = set(range(len(found.artifacts)))
    _, plan = remove(home, store, chosen)
    gone = [row for step in plan.steps if (row := found.tree.find(bytes(step.path))) is not None]
    said = found.tree.measure(gone).sizes.freed
    trash = home / "own" / "trash" / plan.id
    assert oracle.sums(path for path in oracle.below(trash) if path != trash).freed == said

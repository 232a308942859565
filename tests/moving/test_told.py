"""Every store has an answer to what its tool is told, and it works: moved, it shows the same, and undone, too."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.stores import ADAPTERS
from modelyard.stores.telling import TELLINGS, telling
from modelyard.stores.told import SETTINGS
from moving.making import below, contents
from typed import Run
from walk.disks import mounted

NAMES = tuple(adapter.STORE.name for adapter in ADAPTERS)
MOVABLE = tuple(name for name in NAMES if not telling(name).never)


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another file system."""
    with mounted("tmpfs", tmp_path_factory.mktemp("disk") / "m", "-t", "tmpfs", "-o", "size=256M") as folder:
        yield folder


@pytest.fixture
def disk(mount: Path) -> Path:
    """The other file system, empty."""
    for each in mount.iterdir():
        shutil.rmtree(each)
    return mount


def shown(home: Path, store: str, *roots: Path) -> dict[str, int]:
    """What a store shows, with apparent bytes."""
    found = api.survey({}, home, "linux", roots, system=False)
    return {each.id: each.sizes.apparent for each in found.artifacts if each.store == store}


def test_every_store_has_an_answer() -> None:
    assert set(TELLINGS) == {*NAMES, "loose"}
    for name, tell in TELLINGS.items():
        ways = bool(tell.never) + bool(tell.link or tell.setting or tell.variables)
        assert ways == 1, name
        assert bool(tell.never) == bool(tell.instead), name
        assert not tell.setting or tell.setting in SETTINGS, name
    assert {tell.setting for tell in TELLINGS.values()} == {"", *SETTINGS}


@pytest.mark.parametrize("name", NAMES)
def test_the_variables_are_those_that_move_the_store(name: str) -> None:
    store = next(adapter.STORE for adapter in ADAPTERS if adapter.STORE.name == name)
    assert set(telling(name).variables) <= set(store.variables)


def movable(run: Run, home: Path, store: str, disk: Path) -> list[str]:
    """The folders of a store that can be moved, as the command itself names them."""
    found = run("move", store, str(disk), "--dry-run", "--json")
    if found.code == 0:
        return [json.loads(found.out)["plan"]["moves"][0]["source"]]
    assert found.code == 4, found.err
    if " folders: " not in found.err:
        return []
    return found.err.splitlines()[0].partition(" folders: ")[2].split(", ")


@pytest.mark.parametrize("store", MOVABLE)
def test_it_moves_shows_the_same_and_comes_back(store: str, home: Path, disk: Path, run: Run) -> None:
    makers.layouts()[store](home)
    before, everything = shown(home, store), contents(home)
    for path in movable(run, home, store, disk):
        done = run("move", path, str(disk), "--yes")
        assert done.code == 0, (path, done)
        target = disk / os.path.basename(path)
        assert target.exists()
        assert os.path.islink(path) or not os.path.lexists(path)
        if not os.path.islink(path):
            assert str(target) in done.out
        assert sorted(shown(home, store, disk).values()) == sorted(before.values())
        assert run("undo").code == 0
        assert not target.exists()
        kept = contents(home)
        assert {name: kept[name] for name in everything} == everything
        shutil.rmtree(home / ".local" / "state", ignore_errors=True)


@pytest.mark.parametrize("store", ["hf", "pip"])
def test_what_is_there_already_is_left_alone(store: str, home: Path, disk: Path, run: Run) -> None:
    makers.layouts()[store](home)
    assert run("move", store, str(disk), "--yes").code == 0
    for target in (disk, next(disk.iterdir())):
        again = run("move", store, str(target), "--yes")
        assert (again.code, again.out) == (0, f"{store} is there already\n"), again


@pytest.mark.parametrize("store", [name for name in NAMES if name not in MOVABLE])
def test_what_cannot_be_moved_is_refused_with_what_to_do_instead(store: str, home: Path, disk: Path, run: Run) -> None:
    makers.layouts()[store](home)
    before = sorted(below(home))
    done = run("move", store, str(disk), "--yes")
    assert done.code == 4
    assert telling(store).never in done.err
    assert telling(store).instead.format(store=store) in done.err
    assert sorted(below(home)) == before
    assert not [*disk.iterdir()]

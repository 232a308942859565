"""The laws that hold for every store, on every store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
import oracle
from modelyard import api
from modelyard.inventory import Artifact, Inventory, Platform
from modelyard.stores import ADAPTERS
from modelyard.stores.adapter import Adapter

NAMES = tuple(adapter.STORE.name for adapter in ADAPTERS)
DAMAGE = (
    b"",
    b"\x00" * 64,
    b"{",
    b"[" * 60_000,
    b'{"a":' * 60_000,
    b"\xff\xfe{}",
    b'{"url": "\xff\xff", "global_step": 1, "models": "\xff"}',
    b'{"layers": 7}',
    b"null",
    b"[global]\ncache-dir = $HOME\0x\n",
)
SECRETS = ("token", "stored_tokens", "id_ed25519")


@pytest.fixture(params=NAMES)
def store(request: pytest.FixtureRequest, home: Path) -> str:
    """The name of a store whose layout lies in the home."""
    name = str(request.param)
    makers.layouts()[name](home)
    return name


def look(home: Path, store: str) -> api.Survey:
    """A survey of the home alone, with the variables that the store's layout needs."""
    return api.survey(makers.variables(store, home), home, "linux", system=False)


def paths(found: api.Survey, artifact: Artifact) -> list[Path]:
    """The paths of an artifact's rows."""
    return [Path(os.fsdecode(found.tree.path(row))) for row in artifact.rows]


def of(inventory: Inventory, store: str) -> list[Artifact]:
    """The artifacts of a store."""
    return [each for each in inventory.artifacts if each.store == store]


def small_files(home: Path) -> Iterator[Path]:
    """Files that an adapter may read."""
    for path in oracle.below(home):
        if path.is_file() and not path.is_symlink():
            yield path


def test_every_store_has_a_maker() -> None:
    assert set(makers.layouts()) == set(NAMES)


def test_finds_its_artifacts_and_nothing_of_other_stores(store: str, home: Path) -> None:
    inventory = look(home, store)
    assert of(inventory, store)
    assert {each.store for each in inventory.artifacts} == {store}


def test_its_kinds_and_recoveries_are_those_it_declares(store: str, home: Path) -> None:
    adapter = next(each for each in ADAPTERS if each.STORE.name == store)
    found = of(look(home, store), store)
    kinds, recoveries = {each.kind for each in found}, {each.recovery for each in found}
    if any(root.endpoint for root in makers.named(adapter, home)):  # the rest only a running service shows
        assert kinds <= set(adapter.STORE.kinds)
        assert recoveries <= set(adapter.STORE.recoveries)
        return
    assert kinds == set(adapter.STORE.kinds)
    assert recoveries == set(adapter.STORE.recoveries)


def test_reading_changes_nothing(store: str, home: Path) -> None:
    paths = list(oracle.below(home))
    oracle.age(paths)
    before = oracle.traces(paths)
    look(home, store)
    assert oracle.traces(paths) == before
    assert list(oracle.below(home)) == paths


def test_ids_are_unique_and_stay_the_same(store: str, home: Path) -> None:
    first, second = (look(home, store) for _ in range(2))
    ids = [each.id for each in first.artifacts]
    assert len(set(ids)) == len(ids)
    assert ids == [each.id for each in second.artifacts]
    assert all(each.id.startswith(f"{store}:") for each in first.artifacts)


def test_every_byte_of_its_roots_is_claimed_or_unclaimed(store: str, home: Path) -> None:
    found = look(home, store)
    claimed = {path for each in found.artifacts for top in paths(found, each) for path in oracle.below(top)}
    holding = next(each for each in found.holdings if each.store.name == store)
    roots = [Path(root.path) for root in holding.roots if root.row is not None and not root.shared]
    everything = set(oracle.below(*roots))
    assert holding.sizes.allocated == oracle.sums(claimed).allocated
    assert holding.unclaimed == oracle.sums(everything - claimed).allocated


def test_sizes_are_those_of_lstat(store: str, home: Path) -> None:
    found = look(home, store)
    for each in found.artifacts:
        expected = oracle.sums(path for top in paths(found, each) for path in oracle.below(top))
        assert (each.sizes.apparent, each.sizes.allocated) == (expected.apparent, expected.allocated)
        assert each.sizes.freed <= expected.freed


def test_freed_of_everything_is_what_lstat_says(store: str, home: Path) -> None:
    found = look(home, store)
    claimed = {path for each in found.artifacts for top in paths(found, each) for path in oracle.below(top)}
    assert found.totals.freed == oracle.sums(claimed).freed
    assert found.totals.exact


def test_secrets_are_never_claimed(store: str, home: Path) -> None:
    found = look(home, store)
    claimed = {path.name for each in found.artifacts for top in paths(found, each) for path in oracle.below(top)}
    assert not claimed & set(SECRETS)


def test_nothing_is_claimed_outside_home(store: str, home: Path) -> None:
    found = look(home, store)
    assert all(path.is_relative_to(home) for each in found.artifacts for path in paths(found, each))


def test_nothing_is_proven_by_looking(store: str, home: Path) -> None:
    assert {each.proof for each in look(home, store).artifacts} == {"unproven"}


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_files_never_hide_bytes_and_never_raise(store: str, home: Path, damage: bytes) -> None:
    for path in list(small_files(home)):
        kept, length = path.read_bytes(), path.stat().st_size
        path.write_bytes(damage.ljust(length, b" "))
        found = look(home, store)
        holding = next(each for each in found.holdings if each.store.name == store)
        roots = [Path(root.path) for root in holding.roots if root.row is not None and not root.shared]
        if not any(root.shared for root in holding.roots):
            everything = oracle.sums(oracle.below(*roots)).allocated
            assert holding.sizes.allocated + holding.unclaimed == everything
        path.write_bytes(kept)


def test_files_instead_of_folders_and_folders_instead_of_files(store: str, home: Path) -> None:
    for path in sorted(oracle.below(home), reverse=True):
        if path == home or path.is_symlink():
            continue
        aside = path.with_name(path.name + ".aside")
        path.rename(aside)
        path.mkdir() if aside.is_file() else path.write_bytes(b"")
        look(home, store)
        path.rmdir() if path.is_dir() else path.unlink()
        aside.rename(path)


def test_a_link_in_place_of_the_root_is_followed_to_where_the_store_lies(
    store: str, home: Path, tmp_path: Path
) -> None:
    """People move a store to another disk and leave a link."""
    expected = {each.id for each in look(home, store).artifacts}
    holding = next(each for each in look(home, store).holdings if each.store.name == store)
    for number, root in enumerate(holding.roots):
        if root.row is None or root.found_by.startswith("recognised"):
            continue
        moved = tmp_path / f"disk-{number}" / Path(root.path).name
        moved.parent.mkdir()
        Path(root.path).rename(moved)
        Path(root.path).symlink_to(moved)
    found = {each.id.replace(str(tmp_path), "") for each in look(home, store).artifacts}
    assert {name.rpartition("/")[2] for name in found} == {name.rpartition("/")[2] for name in expected}


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_roots_are_absolute_on_every_platform(adapter: Adapter, platform: Platform, home: Path) -> None:
    for root in makers.named(adapter, home, platform):
        assert root.path.startswith((str(home), "/", "C:/"))
        assert root.found_by
        assert root.system != root.path.startswith(str(home))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
def test_an_empty_home_holds_nothing(adapter: Adapter, home: Path) -> None:
    inventory = api.survey({}, home, "linux", system=False, adapters=(adapter,))
    assert not inventory.artifacts
    assert not inventory.problems

"""The blob store that repositories share, and caches without links."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from real import disk
from real.hub_client import Client
from real.hub_layout import BESIDE, alone, files_of, needs
from real.surveys import by_id, codes, paths, survey

WEIGHTS = {"model.safetensors": os.urandom(2_000_000)}
FIRST, SECOND = "models/acme/tiny", "models/globex/copy"
BLOCK = 4096
FOLDERS = 6


def two(client: Client) -> list[Path]:
    """Two repositories with the same weights: their snapshots."""
    client.keep_in_xet(WEIGHTS)
    snapshots = []
    for address in (FIRST, SECOND):
        commit = client.hub.push(address, WEIGHTS | {"config.json": address.encode()})
        snapshots.append(client.download(address) / "snapshots" / commit)
    return snapshots


def payload_of(snapshot: Path) -> Path:
    """The file in the shared store that the weights of a snapshot are."""
    payload = (snapshot / "model.safetensors").resolve()
    assert payload.parents[1].name == "blobs"
    assert payload.parents[2] == snapshot.parents[2]
    return payload


def test_a_payload_of_two_repositories_is_counted_once(shared: Client, home: Path) -> None:
    two(shared)
    inventory = survey(home)
    apart = [each.sizes.allocated for each in inventory.artifacts if each.store == "hf"]
    assert min(apart) > 2_000_000
    hub = next(each for each in inventory.holdings if each.store.name == "hf")
    assert 2_000_000 < hub.sizes.allocated < 2_300_000
    assert shared.scan().size == 2_000_000 + len(FIRST) + len(SECOND)


def test_one_of_two_sharers_frees_almost_nothing_and_both_free_everything(shared: Client, home: Path) -> None:
    snapshots = two(shared)
    seen = survey(home)
    names = [f"hf:{address.replace('models', 'model')}" for address in (FIRST, SECOND)]
    artifacts = [next(each for each in seen.artifacts if each.group == name) for name in names]
    for snapshot, artifact in zip(snapshots, artifacts, strict=True):
        assert artifact.sizes.freed == disk.freed(*alone(shared.cache, snapshot)) < 100_000
    both = seen.freed(each.id for each in artifacts).freed
    assert both == disk.freed(*alone(shared.cache, *snapshots)) > 2_000_000


def test_deleting_one_sharer_after_the_other_frees_what_was_foretold(shared: Client, home: Path) -> None:
    for snapshot in two(shared):
        artifact = next(each for each in by_id(survey(home), "hf").values() if each.revision == snapshot.name)
        before = disk.allocated(shared.cache)
        shared.delete(snapshot.name)
        measured = before - disk.allocated(shared.cache)
        assert abs(measured - artifact.sizes.freed) <= BLOCK * 2  # the prefix folder and the lock of the payload


def test_the_shared_payload_is_never_an_orphan_while_one_repository_links_to_it(shared: Client, home: Path) -> None:
    first, second = two(shared)
    payload = payload_of(first)
    shutil.rmtree(first.parents[1])
    seen = survey(home)
    assert [each.revision for each in by_id(seen, "hf").values()] == [second.name]
    assert payload in paths(seen, next(iter(by_id(seen, "hf").values())).blobs)
    assert next(iter(by_id(seen, "hf").values())).sizes.freed == disk.freed(*alone(shared.cache, second))


def test_a_payload_whose_repositories_were_removed_by_hand_is_an_orphan(shared: Client, home: Path) -> None:
    snapshots = two(shared)
    payload = payload_of(snapshots[0])
    for snapshot in snapshots:
        shutil.rmtree(snapshot.parents[1])
    seen = survey(home)
    orphan = by_id(seen, "hf")["hf:shared#orphan"]
    beside = {path for end in BESIDE if (path := payload.with_name(payload.name + end)).exists()}
    assert paths(seen, orphan.blobs) == {payload, *beside}
    assert orphan.sizes.freed == disk.freed(payload, *beside)
    assert (orphan.state, orphan.recovery) == ("orphan", "re-get")


def test_a_folder_of_blobs_without_the_mark_is_left_alone(shared: Client, home: Path) -> None:
    snapshots = two(shared)
    (shared.cache / "blobs" / ".huggingface-shared-blobs").unlink()
    for snapshot in snapshots:
        shutil.rmtree(snapshot.parents[1])
    seen = survey(home)
    assert not by_id(seen, "hf")
    hub = next(each for each in seen.holdings if each.store.name == "hf")
    assert hub.unclaimed > 2_000_000


def test_a_payload_that_is_gone_leaves_both_repositories_dangling(shared: Client, home: Path) -> None:
    payload_of(two(shared)[0]).unlink()
    seen = survey(home)
    assert [each.state for each in by_id(seen, "hf").values()] == ["dangling", "dangling"]
    assert codes(seen) == ["dangling-link", "dangling-link"]
    assert not shared.scan().refs


def test_shared_blobs_switched_off_gives_each_repository_its_own(shared: Client, home: Path) -> None:
    apart = replace(shared, settings=(("HF_HUB_DISABLE_SHARED_BLOBS", "1"),))
    snapshots = two(apart)
    seen = survey(home)
    assert seen.totals.allocated > 4_000_000
    for snapshot in snapshots:
        artifact = next(each for each in by_id(seen, "hf").values() if each.revision == snapshot.name)
        assert artifact.sizes.freed == disk.freed(*alone(apart.cache, snapshot)) > 2_000_000


def test_without_links_the_snapshots_hold_the_files_themselves(shared: Client, home: Path) -> None:
    plain = replace(shared, settings=(("HF_HUB_DISABLE_SYMLINKS", "1"), ("HF_HUB_DISABLE_XET", "1")))
    first = plain.hub.push(FIRST, WEIGHTS | {"config.json": b"1"})
    repo = plain.download(FIRST)
    second = plain.hub.push(FIRST, WEIGHTS | {"config.json": b"2"})
    plain.download(FIRST)
    snapshots = [repo / "snapshots" / each for each in (first, second)]
    assert not any(path.is_symlink() for snapshot in snapshots for path in files_of(snapshot))
    assert not needs(snapshots[0])
    seen = survey(home)
    for snapshot, tags in zip(snapshots, (("detached",), ("main",)), strict=True):
        artifact = by_id(seen, "hf")[f"hf:model/acme/tiny@{snapshot.name[:12]}"]
        assert artifact.tags == tags
        assert artifact.recovery == "re-get"
        assert paths(seen, artifact.blobs) == set(files_of(snapshot))
        assert artifact.sizes.freed == disk.freed(*alone(plain.cache, snapshot)) > 2_000_000


def test_a_file_that_somebody_put_among_the_links_is_not_called_replaceable(client: Client, home: Path) -> None:
    commit = client.hub.push(FIRST, WEIGHTS)
    snapshot = client.download(FIRST) / "snapshots" / commit
    (snapshot / "notes.safetensors").write_bytes(b"mine alone")
    artifact = by_id(survey(home), "hf")[f"hf:model/acme/tiny@{commit[:12]}"]
    assert artifact.recovery == "none"

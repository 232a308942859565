"""Hub caches that real clients filled, with blobs for each repository and with blobs that repositories share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from real import disk
from real.hub_client import Client
from real.hub_layout import BESIDE, alone, files_of, needs
from real.surveys import by_id, codes, paths, survey

MODEL, OTHER, ROWS, SPACE = "models/acme/tiny", "models/globex/copy", "datasets/acme/rows", "spaces/globex/show"
WEIGHTS = os.urandom(1_500_000)
BLOCK = 4096
FOLDERS = 6  # of a repository: itself, blobs, snapshots, refs, trees, .no_exist


def tiny(config: bytes = b"{}", **more: bytes) -> dict[str, bytes]:
    """The files of a small model."""
    return {"config.json": config, "model.safetensors": WEIGHTS, "vocab/words.txt": b"a b c" * 99, **more}


def publish(client: Client, address: str, files: Mapping[str, bytes], *refs: str) -> str:
    """A commit on the hub, large files in the chunk store where the client uses one."""
    if not client.old:
        client.keep_in_xet({name: each for name, each in files.items() if name.endswith((".safetensors", ".parquet"))})
    return client.hub.push(address, files, *refs)


def moved(client: Client) -> tuple[Path, Path]:
    """A model of which `main` moved on after the first download: the old and the new snapshot."""
    first = publish(client, MODEL, tiny() | {"head.safetensors": os.urandom(700_000)})
    client.download(MODEL)
    second = publish(client, MODEL, tiny(b'{"new": 1}') | {"head.safetensors": os.urandom(300_000)})
    repo = client.download(MODEL)
    return repo / "snapshots" / first, repo / "snapshots" / second


def test_every_repository_revision_and_ref_is_named_like_the_client_names_them(client: Client, home: Path) -> None:
    publish(client, MODEL, tiny(), "v1.0", "refs/pr/1")
    publish(client, MODEL, tiny(b'{"new": 1}'))
    publish(client, ROWS, {"data/train.parquet": os.urandom(90_000)})
    publish(client, SPACE, {"app.py": b"print()"})
    for address, revision in ((MODEL, "v1.0"), (MODEL, "refs/pr/1"), (MODEL, "main"), (ROWS, "main"), (SPACE, "main")):
        client.download(address, revision)
    said = client.scan()
    seen = survey(home)
    expected = {
        f"hf:{repo}@{commit[:12]}": tuple(refs)
        for repo, revisions in said.refs.items()
        for commit, refs in revisions.items()
    }
    assert sorted(expected.values()) == [("main",), ("main",), ("main",), ("refs/pr/1", "v1.0")]
    assert {name: each.tags for name, each in by_id(seen, "hf").items()} == expected
    assert sorted(each.kind for each in by_id(seen, "hf").values()) == ["dataset", "model", "model", "other"]
    assert not said.warnings
    assert not codes(seen)


def test_a_revision_holds_the_files_that_its_links_lead_to(client: Client, home: Path) -> None:
    old, new = moved(client)
    seen = survey(home)
    for snapshot in (old, new):
        artifact = by_id(seen, "hf")[f"hf:model/acme/tiny@{snapshot.name[:12]}"]
        blobs = {path for path in paths(seen, artifact.blobs) if path.suffix not in BESIDE}
        assert blobs == {each.resolve() for each in files_of(snapshot)}
        assert artifact.revision == snapshot.name
        assert artifact.state == "complete"
        assert artifact.recovery == "re-get"


def test_the_old_revision_is_detached_when_main_moved_and_frees_only_its_own(client: Client, home: Path) -> None:
    old, new = moved(client)
    seen = survey(home)
    artifacts = by_id(seen, "hf")
    before, after = (artifacts[f"hf:model/acme/tiny@{each.name[:12]}"] for each in (old, new))
    assert (before.tags, after.tags) == (("detached",), ("main",))
    assert before.sizes.freed == disk.freed(*alone(old.parents[2], old))
    assert 700_000 <= before.sizes.freed < 1_000_000 < before.sizes.allocated


def test_sizes_are_those_that_lstat_gives(client: Client, home: Path) -> None:
    old, new = moved(client)
    publish(client, OTHER, tiny(b'{"copy": 1}'))
    third = next((client.download(OTHER) / "snapshots").iterdir())
    seen = survey(home)
    for snapshot in (old, new, third):
        repo = snapshot.parents[1]
        artifact = next(each for each in by_id(seen, "hf").values() if each.revision == snapshot.name)
        assert artifact.sizes.freed == disk.freed(*alone(client.cache, snapshot)), artifact.id
        whole = {repo} if snapshot == third else alone(client.cache, snapshot)
        assert artifact.sizes.allocated == disk.allocated(*whole, *needs(snapshot)), artifact.id


def test_all_revisions_together_free_the_whole_repository(client: Client, home: Path) -> None:
    old, new = moved(client)
    seen = survey(home)
    truth = disk.freed(*alone(client.cache, old, new))
    assert truth - BLOCK * FOLDERS <= seen.freed(by_id(seen, "hf")).freed <= truth


def test_deleting_a_revision_frees_what_was_foretold(client: Client, home: Path) -> None:
    old, new = moved(client)
    foretold = survey(home).freed([f"hf:model/acme/tiny@{old.name[:12]}"]).freed
    before = disk.allocated(client.cache)
    client.delete(old.name)
    assert abs(before - disk.allocated(client.cache) - foretold) <= BLOCK * FOLDERS
    assert [each.revision for each in by_id(survey(home), "hf").values()] == [new.name]


def test_deleting_the_last_revision_frees_what_was_foretold(client: Client, home: Path) -> None:
    publish(client, MODEL, tiny())
    repo = client.download(MODEL)
    seen = survey(home)
    before = disk.allocated(client.cache)
    client.delete(next((repo / "snapshots").iterdir()).name)
    assert abs(before - disk.allocated(client.cache) - seen.freed(by_id(seen, "hf")).freed) <= BLOCK
    assert not repo.exists()


def test_a_ref_goes_with_the_revision_it_names(client: Client, home: Path) -> None:
    old, new = moved(client)
    seen = survey(home)
    artifacts = by_id(seen, "hf")
    ref = old.parents[1] / "refs" / "main"
    assert ref in paths(seen, artifacts[f"hf:model/acme/tiny@{new.name[:12]}"].pins)
    assert ref not in paths(seen, artifacts[f"hf:model/acme/tiny@{old.name[:12]}"].pins)


def test_one_repository_is_as_big_as_the_client_says(client: Client, home: Path) -> None:
    moved(client)
    seen = survey(home)
    blobs = {row for each in by_id(seen, "hf").values() for row in each.blobs}
    contents = [row for row in blobs if not seen.tree.name(row).endswith((b".refs", b".lock"))]
    sizes = [entry.size for row in contents if (entry := seen.tree.entry(row))]
    said = client.scan()
    assert sum(sizes) == said.sizes["model/acme/tiny"]
    assert sum(sizes) == said.size


def test_files_that_are_known_not_to_exist_belong_to_their_revision(client: Client, home: Path) -> None:
    old, new = moved(client)
    for snapshot in (old, new):
        client.call("probe", MODEL, snapshot.name, "nothing.json")
    seen = survey(home)
    for snapshot in (old, new):
        note = snapshot.parents[1] / ".no_exist" / snapshot.name
        assert note.is_dir()
        assert note in paths(seen, by_id(seen, "hf")[f"hf:model/acme/tiny@{snapshot.name[:12]}"].pins)


def test_the_survey_leaves_every_access_time_as_it_was(client: Client, home: Path) -> None:
    moved(client)
    watched = [each for each in disk.below(client.folder) if not each.is_symlink()]  # the kernel notes each readlink
    for path in watched:
        os.utime(path, (1_000_000, 2_000_000))  # read last before written last: relatime would note a reading
    assert any(path.parent.name == "refs" for path in watched)
    survey(home)
    assert {path.lstat().st_atime for path in watched} == {1_000_000}


def test_variables_lead_to_the_cache(client: Client, home: Path, tmp_path: Path) -> None:
    publish(client, MODEL, tiny())
    away = replace(client, folder=tmp_path / "volume" / "hf")
    repo = away.download(MODEL)
    for name, value in (("HF_HOME", away.folder), ("HF_HUB_CACHE", away.cache), ("XDG_CACHE_HOME", repo.parents[2])):
        env = {name: str(value) if name != "XDG_CACHE_HOME" else str(home / "xdg")}
        seen = survey(home, env)
        found = {root.path: root.found_by for each in seen.holdings for root in each.roots if root.row}
        assert (found.get(str(away.cache)) == name) == (name != "XDG_CACHE_HOME"), name

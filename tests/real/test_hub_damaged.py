"""Hub caches that were cut short, broken or tampered with: none of their bytes may go unseen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modelyard.inventory import Artifact
from real import disk
from real.hub_client import Client
from real.surveys import by_id, codes, paths, survey

MODEL = "models/acme/tiny"
WEIGHTS = os.urandom(1_200_000)
HALF = os.urandom(24_000_000)


@pytest.fixture
def repo(client: Client) -> Path:
    """The folder of a healthy repository with two revisions, the older one detached."""
    client.hub.push(MODEL, {"config.json": b"1", "model.safetensors": WEIGHTS})
    client.download(MODEL)
    client.hub.push(MODEL, {"config.json": b"2", "model.safetensors": WEIGHTS})
    return client.download(MODEL)


def snapshot(repo: Path, ref: str = "main") -> Path:
    """The snapshot that a ref names."""
    return repo / "snapshots" / (repo / "refs" / ref).read_text()


def artifact(home: Path, suffix: str, name: str = "tiny") -> Artifact:
    """One artifact of a model of acme."""
    return by_id(survey(home), "hf")[f"hf:model/acme/{name}{suffix}"]


def claimed(home: Path) -> int:
    """Bytes that all artifacts of the hub take together, each file once."""
    return next(each for each in survey(home).holdings if each.store.name == "hf").sizes.allocated


def blobs_of(repo: Path) -> int:
    """Bytes of the blobs of a repository."""
    return sum(path.lstat().st_blocks * 512 for path in (repo / "blobs").iterdir())


def break_off(client: Client) -> Path:
    """A repository of which half of the only file came."""
    client.hub.stalled.add("half.safetensors")
    client.hub.push("models/acme/half", {"half.safetensors": HALF})
    return client.break_off("models/acme/half")


def test_a_killed_download_leaves_a_partial_artifact(client: Client, home: Path) -> None:
    folder = break_off(client)
    (unfinished,) = (folder / "blobs").glob("*.incomplete")
    seen = survey(home)
    partial = by_id(seen, "hf")["hf:model/acme/half#partial"]
    assert paths(seen, partial.blobs) == {unfinished}
    assert partial.state == "partial"
    assert partial.sizes.freed == disk.freed(unfinished) > 1 << 20


def test_a_revision_of_which_no_file_came_is_not_complete(client: Client, home: Path) -> None:
    commit = snapshot(break_off(client)).name
    assert artifact(home, f"@{commit[:12]}", "half").state == "partial"


def test_a_killed_download_beside_a_whole_revision_is_told_apart(client: Client, repo: Path, home: Path) -> None:
    client.hub.stalled.add("more.safetensors")
    client.hub.push(MODEL, {"config.json": b"3", "model.safetensors": WEIGHTS, "more.safetensors": HALF})
    client.break_off(MODEL)
    (unfinished,) = (repo / "blobs").glob("*.incomplete")
    seen = survey(home)
    partial = by_id(seen, "hf")["hf:model/acme/tiny#partial"]
    assert partial.sizes.freed == disk.freed(unfinished)
    assert not any(unfinished in paths(seen, each.rows) for each in by_id(seen, "hf").values() if each != partial)


def test_a_download_that_goes_on_later_is_whole(client: Client, home: Path) -> None:
    commit = snapshot(break_off(client)).name
    client.hub.stalled.clear()
    client.download("models/acme/half")
    assert artifact(home, f"@{commit[:12]}", "half").state == "complete"
    assert artifact(home, f"@{commit[:12]}", "half").sizes.apparent >= len(HALF)


def test_blobs_without_a_revision_are_orphans(client: Client, repo: Path, home: Path) -> None:
    old = next(each for each in (repo / "snapshots").iterdir() if each != snapshot(repo))
    lonely = (old / "config.json").resolve()
    shutil.rmtree(old)
    seen = survey(home)
    orphan = by_id(seen, "hf")["hf:model/acme/tiny#orphan"]
    assert paths(seen, orphan.blobs) == {lonely}
    assert orphan.sizes.freed == disk.freed(lonely)
    assert (orphan.state, orphan.recovery) == ("orphan", "re-get")


def test_a_blob_that_is_gone_leaves_its_revisions_dangling(client: Client, repo: Path, home: Path) -> None:
    (snapshot(repo) / "model.safetensors").resolve().unlink()
    seen = survey(home)
    assert {each.state for each in by_id(seen, "hf").values()} == {"dangling"}
    assert codes(seen) == ["dangling-link"] * 2
    assert not client.scan().refs


def test_a_ref_to_nothing_is_a_problem_and_hides_no_bytes(client: Client, repo: Path, home: Path) -> None:
    whole = claimed(home)
    (repo / "refs" / "refs" / "pr").mkdir(parents=True)
    (repo / "refs" / "refs" / "pr" / "7").write_text("7" * 40)
    seen = survey(home)
    (problem,) = seen.problems
    assert problem.code == "dangling-ref"
    assert "refs/pr/7" in problem.message
    assert claimed(home) == whole
    assert not client.scan().refs


def test_a_plain_file_among_the_revisions_hides_no_bytes(client: Client, repo: Path, home: Path) -> None:
    whole = claimed(home)
    (repo / "snapshots" / "README.md").write_text("who put this here")
    seen = survey(home)
    assert codes(seen) == ["stray-file"]
    assert seen.problems[0].path == str(repo / "snapshots" / "README.md")
    assert claimed(home) == whole
    assert not client.scan().refs


def test_what_a_file_browser_leaves_is_no_problem(client: Client, repo: Path, home: Path) -> None:
    healthy = by_id(survey(home), "hf")
    for folder in (repo / "snapshots", repo / "refs"):
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    seen = survey(home)
    assert not codes(seen)
    assert by_id(seen, "hf").keys() == healthy.keys() == {f"hf:{name}" for name in _named(client)}


def _named(client: Client) -> list[str]:
    return [f"{repo}@{commit[:12]}" for repo, refs in client.scan().refs.items() for commit in refs]


def test_a_repository_without_snapshots_is_all_orphan(client: Client, repo: Path, home: Path) -> None:
    shutil.rmtree(repo / "snapshots")
    seen = survey(home)
    assert list(by_id(seen, "hf")) == ["hf:model/acme/tiny#orphan"]
    assert by_id(seen, "hf")["hf:model/acme/tiny#orphan"].sizes.freed == disk.freed(repo)
    assert claimed(home) >= blobs_of(repo) > 1_200_000
    assert client.scan().warnings


def test_a_repository_without_anything_is_still_there(client: Client, repo: Path, home: Path) -> None:
    for part in ("snapshots", "blobs"):
        shutil.rmtree(repo / part)
    empty = artifact(home, "#empty")
    assert empty.state == "orphan"
    assert empty.sizes.freed == disk.freed(repo)


def test_the_repositories_beside_a_broken_one_are_whole(client: Client, repo: Path, home: Path) -> None:
    commit = client.hub.push("models/globex/fine", {"model.safetensors": os.urandom(80_000)})
    client.download("models/globex/fine")
    (snapshot(repo) / "model.safetensors").resolve().unlink()
    (repo / "snapshots" / "stray").touch()
    fine = by_id(survey(home), "hf")[f"hf:model/globex/fine@{commit[:12]}"]
    assert (fine.state, fine.tags) == ("complete", ("main",))


def test_a_repository_of_kernels_is_told_by_its_folder(client: Client, repo: Path, home: Path) -> None:
    repo.rename(repo.with_name("kernels--globex--fast-attention"))
    found = by_id(survey(home), "hf")
    assert {each.title for each in found.values()} == {"globex/fast-attention"}
    assert all(each.startswith("hf:kernel/globex/fast-attention@") for each in found)
    assert {each.kind for each in found.values()} == {"other"}


def test_a_moved_cache_is_recognised_at_any_path(client: Client, repo: Path, home: Path) -> None:
    before = {each.revision: each.sizes for each in by_id(survey(home), "hf").values()}
    moved = home / "old laptop" / "hub"
    moved.parent.mkdir()
    client.cache.rename(moved)
    seen = survey(home)
    assert {each.revision: each.sizes for each in by_id(seen, "hf").values()} == before
    hub = next(each for each in seen.holdings if each.store.name == "hf")
    assert [root.found_by for root in hub.roots if root.row is not None] == ["recognised by models--*"]


def test_a_repository_of_which_the_name_has_no_organisation(client: Client, repo: Path, home: Path) -> None:
    repo.rename(repo.with_name("models--gpt2"))
    assert {each.title for each in by_id(survey(home), "hf").values()} == {"gpt2"}


def test_a_file_of_somebody_s_own_that_a_snapshot_links_to_is_not_the_hub_s(
    client: Client, repo: Path, home: Path
) -> None:
    mine = home / "thesis" / "weights.safetensors"
    mine.parent.mkdir()
    mine.write_bytes(bytes(500_000))
    link = snapshot(repo) / "mine.safetensors"
    link.symlink_to(mine)
    seen = survey(home)
    assert not any(mine in paths(seen, each.rows) for each in by_id(seen, "hf").values())
    found = by_id(seen, "hf")[f"hf:model/acme/tiny@{snapshot(repo).name[:12]}"]
    assert "1 linked from outside" in found.detail
    assert found.state == "complete"
    assert not codes(seen)


def test_a_blob_that_was_moved_to_another_place_by_hand_stays_there(client: Client, repo: Path, home: Path) -> None:
    blob = repo / "blobs" / (snapshot(repo) / "model.safetensors").readlink().name
    away = home / "big disk" / "kept"
    away.parent.mkdir()
    blob.resolve().rename(away)
    blob.unlink(missing_ok=True)
    blob.symlink_to(away)
    seen = survey(home)
    assert not any(away in paths(seen, each.rows) for each in by_id(seen, "hf").values())
    assert {each.state for each in by_id(seen, "hf").values()} == {"complete"}

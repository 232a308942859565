"""The hub cache: places, revisions, and every broken state that hides bytes from other tools."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import huggingface

HUB = Path(".cache/huggingface/hub")


def make(home: Path) -> None:
    """Both layouts, an older revision, leftovers of every sort, and a token beside them."""
    hub = home / ".cache" / "huggingface" / "hub"
    repo = makers.hub_repo(hub, "models--acme--tiny", {"model.safetensors": b"w" * 9000, "config.json": b"{}"})
    makers.hub_repo(hub, "models--acme--tiny", {"model.safetensors": b"v" * 9000, "config.json": b"{}"}, "b" * 40, ())
    makers.write(repo / "blobs" / ("c" * 64), b"nobody links here")
    makers.write(repo / "blobs" / f"{'d' * 64}.0123abcd.incomplete", b"half")
    other = makers.hub_repo(hub, "datasets--globex--crops", {"data/train.parquet": b"p" * 7000}, "e" * 40)
    makers.share_blob(other, next((other / "blobs").iterdir()), "f" * 64)
    makers.write(home / ".cache" / "huggingface" / "token", "hf_secret")


def artifacts(home: Path, env: dict[str, str] | None = None) -> dict[str, Artifact]:
    """The artifacts of the home by id."""
    return {each.id: each for each in api.survey(env or {}, home, "linux", system=False).artifacts}


@pytest.mark.parametrize(
    ("env", "path", "found_by"),
    [
        ({}, "{home}/.cache/huggingface/hub", "default"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub", "XDG_CACHE_HOME"),
        ({"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/x"}, "{home}/hf/hub", "HF_HOME"),
        ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/hf"}, "/old", "HUGGINGFACE_HUB_CACHE"),
        ({"HF_HUB_CACHE": "$DATA/hub", "DATA": "/d", "HUGGINGFACE_HUB_CACHE": "/old"}, "/d/hub", "HF_HUB_CACHE"),
        ({"HF_HUB_CACHE": " "}, "{home}/.cache/huggingface/hub", "default"),
    ],
)
@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_precedence_of_what_moves_it(env: dict[str, str], path: str, found_by: str, platform: str, home: Path) -> None:
    first = makers.named(huggingface, home, platform, **env)[0]  # type: ignore[arg-type]
    assert (first.path, first.found_by) == (path.format(home=home), found_by)


@pytest.mark.parametrize("variable", huggingface.LEGACY_VARIABLES)
def test_a_dead_variable_of_old_clients_still_leads_to_what_lies_there(
    variable: str, home: Path, tmp_path: Path
) -> None:
    makers.hub_repo(tmp_path / "old", "models--acme--tiny", {"config.json": b"{}"})
    assert f"hf:model/acme/tiny@{'a' * 12}" in artifacts(home, {variable: str(tmp_path / "old")})


def test_what_diffusers_of_old_downloaded_is_left_over_and_listed_once(home: Path) -> None:
    """Its folder has the layout of the hub, so that it is recognised by what it holds as well."""
    makers.hub_repo(home / ".cache/huggingface/diffusers", "models--acme--tiny", {"unet.bin": b"w" * 5000})
    makers.hub_repo(home / "forge" / "models" / "diffusers", "models--acme--live", {"unet.bin": b"w" * 5000})
    found = artifacts(home)
    assert {name: each.state for name, each in found.items()} == {
        f"hf:model/acme/tiny@{'a' * 12}": "orphan",
        f"hf:model/acme/live@{'a' * 12}": "complete",
    }
    assert "never reads it" in found[f"hf:model/acme/tiny@{'a' * 12}"].detail


def test_a_revision_and_its_older_one_share_a_blob(home: Path) -> None:
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 200_000, "c": b"1" * 5000})
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 200_000, "c": b"2" * 5000}, "b" * 40, ())
    found = artifacts(home)
    new, old = found[f"hf:model/acme/tiny@{'a' * 12}"], found[f"hf:model/acme/tiny@{'b' * 12}"]
    assert (new.tags, old.tags) == (("main",), ("detached",))
    assert new.sizes.apparent - old.sizes.apparent == len("a" * 40)  # the ref that names it
    assert old.sizes.freed < 100_000 < old.sizes.allocated  # the weights stay with the other revision
    assert new.kind == "model"
    assert new.recovery == "re-get"


def test_branches_tags_and_pull_requests_name_a_revision(home: Path) -> None:
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"}, refs=("main", "v1.0", "refs/pr/7"))
    assert artifacts(home)[f"hf:model/acme/tiny@{'a' * 12}"].tags == ("main", "refs/pr/7", "v1.0")


@pytest.mark.parametrize(
    ("folder", "name", "kind"),
    [
        ("models--tiny", "hf:model/tiny", "model"),
        ("datasets--globex--a--b", "hf:dataset/globex/a/b", "dataset"),
        ("spaces--acme--app", "hf:space/acme/app", "other"),
        ("kernels--acme--flash", "hf:kernel/acme/flash", "other"),
    ],
)
def test_every_type_of_repository(folder: str, name: str, kind: str, home: Path) -> None:
    makers.hub_repo(home / HUB, folder, {"file": b"x"})
    found = artifacts(home)[f"{name}@{'a' * 12}"]
    assert found.kind == kind


def test_partial_downloads_are_told_from_orphans(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    for name in ("a.incomplete", f"{'b' * 64}.0123abcd.incomplete", f"{'c' * 64}.downloadInProgress"):
        makers.write(repo / "blobs" / name)
    makers.write(repo / "blobs" / ("d" * 64))
    found = artifacts(home)
    assert (found["hf:model/acme/tiny#partial"].state, len(found["hf:model/acme/tiny#partial"].blobs)) == ("partial", 3)
    assert (found["hf:model/acme/tiny#orphan"].state, len(found["hf:model/acme/tiny#orphan"].blobs)) == ("orphan", 1)


def test_a_dangling_link_does_not_hide_the_repository(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 5000, "c": b"c"})
    next(blob for blob in (repo / "blobs").iterdir() if blob.stat().st_size == 1).unlink()
    survey = api.survey({}, home, "linux", system=False)
    found = survey.artifacts[0]
    assert (found.state, found.sizes.apparent >= 5000) == ("dangling", True)
    assert [problem.code for problem in survey.problems] == ["dangling-link"]


def test_a_ref_to_a_revision_that_never_came(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    makers.write(repo / "refs" / "next", "f" * 40)
    survey = api.survey({}, home, "linux", system=False)
    assert [problem.code for problem in survey.problems] == ["dangling-ref"]
    assert survey.artifacts[0].state == "complete"


def test_a_repository_without_snapshots_keeps_its_bytes_in_sight(home: Path) -> None:
    makers.write(home / HUB / "models--acme--tiny" / "blobs" / ("d" * 64), b"d" * 7000)
    found = artifacts(home)["hf:model/acme/tiny#orphan"]
    assert found.sizes.apparent == 7000


def test_a_stray_file_among_revisions_is_a_problem_and_nothing_else(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 5000})
    makers.write(repo / "snapshots" / "notes.txt")
    survey = api.survey({}, home, "linux", system=False)
    assert [problem.code for problem in survey.problems] == ["stray-file"]
    assert survey.artifacts[0].sizes.apparent >= 5000


def test_two_repositories_over_one_shared_blob(home: Path) -> None:
    for name in ("one", "two"):
        repo = makers.hub_repo(home / HUB, f"models--acme--{name}", {"w": b"w" * 200_000})
        makers.share_blob(repo, next((repo / "blobs").iterdir()), "e" * 64)
    survey = api.survey({}, home, "linux", system=False)
    one, two = survey.artifacts
    assert one.sizes.allocated >= 200_000 <= two.sizes.allocated
    assert survey.totals.allocated < 400_000
    assert one.sizes.freed < 200_000
    assert survey.freed([one.id, two.id]).freed >= 200_000
    assert [each.id for each in api.sharers(survey, 0)] == [two.id]


def test_a_shared_blob_that_no_repository_uses_is_found(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 200_000})
    blob = next((repo / "blobs").iterdir())
    makers.share_blob(repo, blob, "e" * 64)
    blob.unlink()
    assert artifacts(home)["hf:shared#orphan"].sizes.freed >= 200_000


def test_without_the_marker_a_blobs_folder_is_nobodys(home: Path) -> None:
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    makers.write(home / HUB / "blobs" / "ab" / ("a" * 64))
    assert "hf:shared#orphan" not in artifacts(home)


def test_real_files_where_links_cannot_be_made(home: Path) -> None:
    makers.write(home / HUB / "models--acme--tiny" / "snapshots" / ("a" * 40) / "w", b"w" * 5000)
    found = artifacts(home)[f"hf:model/acme/tiny@{'a' * 12}"]
    assert (found.sizes.apparent, found.recovery) == (5000, "re-get")


def test_a_file_somebody_put_among_the_links_cannot_be_had_again(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    makers.write(repo / "snapshots" / ("a" * 40) / "my_adapter.bin", b"mine")
    assert artifacts(home)[f"hf:model/acme/tiny@{'a' * 12}"].recovery == "none"


def test_a_link_out_of_the_cache_is_not_followed(home: Path, tmp_path: Path) -> None:
    outside = makers.write(tmp_path / "outside", b"o" * 90_000)
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    os.symlink(outside, repo / "snapshots" / ("a" * 40) / "big")
    survey = api.survey({}, home, "linux", system=False)
    assert survey.totals.apparent < 90_000
    assert "linked from outside" in survey.artifacts[0].detail


def test_an_unreadable_revision_leaves_no_blob_an_orphan(home: Path) -> None:
    """Root reads everything, so the folder's listing is cut by hand: a mount point hides it."""
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 9000})
    os.system(f"mount -t tmpfs none {repo}/snapshots")
    try:
        found = artifacts(home)
        assert not [each for each in found.values() if each.state == "orphan"]
        assert found["hf:model/acme/tiny#orphan"].recovery == "none"
    finally:
        os.system(f"umount {repo}/snapshots")


def test_a_repository_that_was_moved_away_behind_a_link_is_a_problem_and_not_an_absence(
    home: Path, tmp_path: Path
) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    repo.rename(tmp_path / "moved")
    repo.symlink_to(tmp_path / "moved")
    found = api.survey({}, home, "linux", system=False)
    assert [problem.code for problem in found.problems] == ["linked-folder"]


def test_a_name_that_is_no_utf8_is_shown_and_does_not_break_json(home: Path) -> None:
    makers.hub_repo(home / HUB, os.fsdecode(b"models--acme--t\xff\x1b[31m"), {"w": b"w"})
    assert f"hf:model/acme/t\\xff\\x1b[31m@{'a' * 12}" in artifacts(home)


def test_how_much_of_the_revision_is_here_by_the_client_s_own_note(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    files = {name: {"size": 1, "blob_id": "0"} for name in ("w", "x", "y")}
    note = makers.write(repo / "trees" / f"{'a' * 40}.json", json.dumps({"format_version": 1, "files": files}))
    assert artifacts(home)[f"hf:model/acme/tiny@{'a' * 12}"].detail == "1 of 3 files"
    note.write_text("[")
    assert artifacts(home)[f"hf:model/acme/tiny@{'a' * 12}"].detail == "1 files"


def _alias(repo: Path, tmp_path: Path) -> None:
    """Links of a cache that was copied: absolute, through another name of the same home."""
    (tmp_path / "alias").symlink_to(repo.parent)
    link = repo / "snapshots" / ("a" * 40) / "w"
    target = tmp_path / "alias" / repo.name / "blobs" / link.readlink().name
    link.unlink()
    link.symlink_to(target)


def _linked_revision(repo: Path, tmp_path: Path) -> None:
    (repo / "snapshots" / ("a" * 40)).rename(tmp_path / "revision")
    (repo / "snapshots" / ("a" * 40)).symlink_to(tmp_path / "revision")


def _linked_snapshots(repo: Path, tmp_path: Path) -> None:
    (repo / "snapshots").rename(tmp_path / "snapshots")
    (repo / "snapshots").symlink_to(tmp_path / "snapshots")


@pytest.mark.parametrize("damage", [_alias, _linked_revision, _linked_snapshots])
def test_a_link_that_leads_out_leaves_no_blob_an_orphan(
    damage: Callable[[Path, Path], None], home: Path, tmp_path: Path
) -> None:
    damage(makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 9000}), tmp_path)
    found = artifacts(home)
    assert not [each for each in found.values() if each.state == "orphan" and each.blobs]
    assert found["hf:model/acme/tiny#orphan"].recovery == "none"


def test_the_refs_that_a_download_to_a_local_dir_leaves_are_no_download_cut_short(home: Path) -> None:
    repo = home / HUB / "models--acme--tiny"
    makers.write(repo / "refs" / "main", "a" * 40)
    survey = api.survey({}, home, "linux", system=False)
    assert [(each.id, each.state) for each in survey.artifacts] == [("hf:model/acme/tiny#empty", "orphan")]
    assert not survey.problems
    makers.write(repo / "blobs" / f"{'d' * 64}.0123abcd.incomplete", b"half")
    assert [each.code for each in api.survey({}, home, "linux", system=False).problems] == ["dangling-ref"]

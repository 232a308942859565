"""Files of others in one's own stores, and shared stores whose group is locked out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

import makers
from doctor.patients import only, run, told
from modelyard import api
from modelyard.doctor import owners, prepare

OWNER, OTHER = 4321, 4322
HUB = ".cache/huggingface/hub"


def give(path: Path, user: int) -> None:
    """Everything at and below a path belongs to a user from now on."""
    for folder, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            os.chown(Path(folder) / name, user, user, follow_symlinks=False)


@pytest.fixture
def hub(home: Path) -> Path:
    """A hub cache in a home of an ordinary user."""
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w" * 5000})
    makers.write(home / "work/notes.txt")
    give(home, OWNER)
    return home / HUB


def test_one_owner_everywhere_is_well(hub: Path, home: Path) -> None:
    assert not told("foreign-files", home)


def test_files_that_sudo_left_are_told_and_the_command_gives_them_back(hub: Path, home: Path) -> None:
    give(hub / "models--acme--tiny", 0)
    makers.write(home / "work/of root")
    found = only(told("foreign-files", home))
    assert (found.severity, found.place) == ("fault", f"~/{HUB}")
    assert found.message.startswith("root owns ")
    run(found.command.removeprefix("sudo "), home)
    assert not told("foreign-files", home)
    assert (home / "work/of root").stat().st_uid == 0, "only the store is touched"
    assert (hub / "models--acme--tiny/snapshots" / ("a" * 40) / "w").is_symlink()


def test_each_other_user_is_named(hub: Path, home: Path) -> None:
    give(hub / "models--acme--tiny/refs", OTHER)
    assert "the user 4322 owns 2 files" in only(told("foreign-files", home)).message


def test_a_store_that_root_owns_as_a_whole_is_told(home: Path) -> None:
    makers.write(home / ".cache/pip/http-v2/0/1/2/3/4/file.body", b"b")
    os.chown(home, OWNER, OWNER)
    assert "pip" in only(told("foreign-files", home)).consequence


def test_places_of_others_outside_the_home_are_theirs(hub: Path, home: Path, tmp_path: Path) -> None:
    makers.hub_repo(tmp_path / "shared", "models--acme--big", {"w": b"w" * 5000})
    assert not told("foreign-files", home, {"HF_HUB_CACHE": f"{tmp_path}/shared"})


def test_files_of_others_that_no_store_holds_are_not_counted(hub: Path, home: Path) -> None:
    give(home / "work", OTHER)
    assert not told("foreign-files", home)


def test_names_with_blanks_quotes_and_bytes_are_given_back_too(hub: Path, home: Path) -> None:
    odd = home / os.fsdecode(b"my '\xff' hub")
    hub.rename(odd)
    give(odd / "models--acme--tiny", 0)
    found = only(told("foreign-files", home, {"HF_HUB_CACHE": str(odd)}))
    run(found.command.removeprefix("sudo "), home)
    assert not told("foreign-files", home, {"HF_HUB_CACHE": str(odd)})


def team(hub: Path) -> None:
    """Hands the group on and lets it write, as a shared cache is set up."""
    for folder, _, files in os.walk(hub):
        os.chmod(folder, 0o2775)
        for name in files:
            if not (Path(folder) / name).is_symlink():
                (Path(folder) / name).chmod(0o664)


def test_a_shared_cache_that_is_well_set_up_is_well_with_files_of_many(hub: Path, home: Path) -> None:
    team(hub)
    os.chown(next((hub / "models--acme--tiny/blobs").iterdir()), OTHER, OWNER)
    assert not told("team-modes", home)
    assert not told("foreign-files", home)


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o2755])
def test_a_folder_that_the_group_cannot_use_is_told_and_mended(mode: int, hub: Path, home: Path) -> None:
    team(hub)
    (hub / "models--acme--tiny/blobs").chmod(mode)
    found = only(told("team-modes", home))
    assert "cannot use 1 of its entries" in found.message
    run(found.command.replace("sudo ", ""), home)
    assert not told("team-modes", home)


def test_a_blob_that_only_its_downloader_can_read_is_told_and_mended(hub: Path, home: Path) -> None:
    team(hub)
    next((hub / "models--acme--tiny/blobs").iterdir()).chmod(0o600)
    run(only(told("team-modes", home)).command.replace("sudo ", ""), home)
    assert not told("team-modes", home)


@pytest.mark.parametrize("name", [".locks/models--acme--tiny/abc.lock", "models--acme--tiny/refs/main"])
def test_locks_and_references_that_only_their_maker_can_write_are_told_and_mended(
    name: str, hub: Path, home: Path
) -> None:
    makers.write(hub / name, b"")
    team(hub)
    secret = makers.write(hub / "token", "secret")
    blob = next((hub / "models--acme--tiny/blobs").iterdir())
    for path, mode in ((hub / name, 0o644), (secret, 0o600), (blob, 0o440)):
        path.chmod(mode)
    run(only(told("team-modes", home)).command.replace("sudo ", ""), home)
    assert [path.stat().st_mode & 0o777 for path in (hub / name, secret, blob)] == [0o664, 0o600, 0o440]
    assert not told("team-modes", home)


def test_a_cache_of_many_that_does_not_hand_its_group_on_is_told_and_mended(hub: Path, home: Path) -> None:
    for folder in (hub, hub / "models--acme--tiny"):
        folder.chmod(0o775)
    makers.hub_repo(hub, "models--acme--big", {"w": b"W" * 5000})
    give(hub / "models--acme--big", OTHER)
    assert not told("foreign-files", home)
    found = only(told("team-modes", home))
    assert f"~/{HUB} among them" in found.message
    run(found.command.replace("sudo ", ""), home)
    assert hub.stat().st_mode & 0o7777 == 0o2775
    assert not told("team-modes", home)


def test_what_root_left_in_a_cache_of_one_makes_it_no_shared_one(hub: Path, home: Path) -> None:
    hub.chmod(0o775)
    give(hub / "models--acme--tiny", 0)
    assert only(told("foreign-files", home)).message.startswith("root owns")
    assert not told("team-modes", home)


def test_a_token_in_a_shared_folder_stays_closed(hub: Path, home: Path) -> None:
    team(hub)
    makers.write(hub / "token", "secret").chmod(0o600)
    assert not told("team-modes", home)


def test_files_of_others_among_somebodys_runs_are_no_fault(home: Path) -> None:
    makers.trainer_checkpoint(home / "work/run", 500)
    os.chown(home, OWNER, OWNER)
    assert not told("foreign-files", home)


def test_engines_keep_files_of_users_of_their_own(hub: Path, home: Path) -> None:
    give(hub / "models--acme--tiny", OTHER)
    found = api.survey({}, home, "linux", system=False)
    about = prepare(found, found.tree, {}, home, "linux", 0, (), ())
    engine = tuple(replace(each, store=replace(each.store, kinds=("image", "volume"))) for each in about.spots)
    assert list(owners.foreign(about))
    assert not list(owners.foreign(replace(about, spots=engine)))


def test_a_cache_of_one_person_needs_no_group(hub: Path, home: Path) -> None:
    assert not told("team-modes", home)


@pytest.mark.parametrize("mode", [0o000, 0o044, 0o200])
def test_a_blob_that_its_owner_cannot_read_is_told_and_mended(mode: int, hub: Path, home: Path) -> None:
    blob = next((hub / "models--acme--tiny/blobs").iterdir())
    blob.chmod(mode)
    (home / "work/notes.txt").chmod(0)
    found = only(told("unreadable-files", home))
    assert found.message.startswith("1 file in ")
    run(found.command, home)
    assert not told("unreadable-files", home)
    assert (home / "work/notes.txt").stat().st_mode & 0o777 == 0


@pytest.mark.parametrize("mode", [0o400, 0o444, 0o600])
def test_a_blob_that_nobody_may_write_is_well(mode: int, hub: Path, home: Path) -> None:
    next((hub / "models--acme--tiny/blobs").iterdir()).chmod(mode)
    assert not told("unreadable-files", home)

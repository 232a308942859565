"""Volumes that are not there, and two roots of one store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import makers
from doctor.patients import examine, only, rc, run, told
from modelyard.doctor.volumes import Volume, missing_volume, promised, volume_of
from modelyard.inventory import Platform

NOWHERE = "/mnt/modelyard test's drive"
HUB = ".cache/huggingface/hub"


def hub(folder: Path, name: str = "models--acme--tiny") -> Path:
    """A hub cache with one model."""
    makers.hub_repo(folder, name, {"w": name.encode() * 9000})
    return folder


@pytest.mark.parametrize(
    ("platform", "command"), [("linux", "lsblk -f"), ("macos", "diskutil list"), ("windows", "Get-Volume")]
)
def test_an_unplugged_drive_is_told_once_with_all_that_points_there(
    platform: Platform, command: str, home: Path
) -> None:
    env = {"HF_HUB_CACHE": f"{NOWHERE}/hf/hub", "TORCH_HOME": f"{NOWHERE}/torch"}
    found = only(told("missing-volume", home, env, platform))
    assert (found.severity, found.place, found.command) == ("fault", NOWHERE, command)
    assert "HF_HUB_CACHE" in found.message and "TORCH_HOME" in found.message


@pytest.mark.parametrize("path", ["/Volumes/Models/hf", "/media/me/Models/hf", "/run/media/me/Models/hf", "/nodata/hf"])
def test_volumes_are_missed_wherever_they_are_usually_mounted(path: str, home: Path) -> None:
    assert only(told("missing-volume", home, {"HF_HOME": path})).place in path


def test_a_dead_variable_is_not_missed_too(home: Path) -> None:
    rc(home, f"export TRANSFORMERS_CACHE='{NOWHERE}'")
    assert not told("missing-volume", home, {"TRANSFORMERS_CACHE": NOWHERE})


def test_a_folder_that_is_only_not_made_yet_is_no_missing_volume(home: Path) -> None:
    assert not told("missing-volume", home, {"HF_HOME": f"{home}/later/hf", "TORCH_HOME": "/tmp/later/torch"})


def test_a_start_file_that_points_to_an_unplugged_drive_is_told(home: Path) -> None:
    rc(home, f'export HF_HOME="{NOWHERE}/hf"', name=".zshrc")
    assert "HF_HOME in ~/.zshrc" in only(told("missing-volume", home)).message


def test_the_desktop_apps_drive_is_told_before_it_falls_back(home: Path) -> None:
    (home / ".ollama").mkdir()
    with closing(sqlite3.connect(home / ".ollama" / "db.sqlite")) as database, database:
        database.execute("CREATE TABLE settings (models TEXT)")
        database.execute("INSERT INTO settings VALUES (?)", (f"{NOWHERE}/models",))
    assert "desktop app setting" in only(told("missing-volume", home)).message


def test_conda_would_forget_environments_on_an_unplugged_drive(home: Path) -> None:
    makers.write(home / ".conda" / "environments.txt", f"{NOWHERE}/envs/train\n")
    found = only(told("missing-volume", home))
    assert found.severity == "danger"
    assert "`conda env list` forgets" in found.consequence


def test_an_empty_mount_point_of_fstab_is_a_missing_volume(home: Path) -> None:
    (home / "data").mkdir()
    place = str(home / "data")
    env = {"HF_HOME": f"{home}/data/hf"}
    found = only(told("missing-volume", home, env, expected=(place,)))
    assert found.command == f"sudo mount {place}"
    there = (Volume("/", "ext4"), Volume(place, "ext4"))
    assert not told("missing-volume", home, env, mounted=there, expected=(place,))


def test_fstab_is_read_with_its_escapes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "# a comment /mnt/no\nUUID=1 / ext4\n/dev/b /mnt/my\\040data ext4 defaults 0 2\nUUID=2 none swap\n\nodd\n"
    makers.write(home / "fstab", lines)
    monkeypatch.setattr("modelyard.doctor.volumes.FSTAB", str(home / "fstab"))
    assert promised() == ("/mnt/my data",)


def test_the_nearest_and_last_mount_holds_a_path() -> None:
    mounted = (Volume("/", "ext4"), Volume("/data", "autofs"), Volume("/data", "nfs4"), Volume("/database", "xfs"))
    kinds = {path: volume_of(path, mounted) for path in ("/data/a", "/database", "/dat")}
    assert {path: each.kind for path, each in kinds.items() if each} == {
        "/data/a": "nfs4",
        "/database": "xfs",
        "/dat": "ext4",
    }
    assert volume_of("/a", ()) is None
    assert missing_volume("/", (), ()) is None


def test_a_folder_not_made_yet_on_a_drive_that_is_there_is_not_missed() -> None:
    there = (Volume("/", "ext4"), Volume("/media/usb", "exfat"), Volume("/mnt", "ext4"))
    assert missing_volume("/media/usb/hf/hub", there, ()) is None
    assert missing_volume("/media/me/usb/hf", there, ()) == "/media/me/usb"


def test_a_drive_letter_that_is_not_there_is_missed() -> None:
    assert missing_volume("Q:/models/hub", (), ()) == "Q:"


def test_two_hub_caches_are_told_and_the_command_brings_them_together(home: Path) -> None:
    old, new = hub(home / HUB, "models--acme--old"), hub(home / "my hub", "models--acme--new")
    env = {"HF_HUB_CACHE": str(new)}
    found = only(told("two-roots", home, env))
    assert "~/my hub" in found.message and "in force by HF_HUB_CACHE" in found.message
    assert found.place == f"~/{HUB}"
    run(found.command, home)
    assert {each.name for each in new.iterdir()} == {"models--acme--old", "models--acme--new"}
    assert (new / "models--acme--old/snapshots" / ("a" * 40) / "w").is_symlink()
    assert (old / "models--acme--old").is_dir()


def test_a_root_that_only_a_start_file_sets_is_a_second_one(home: Path) -> None:
    hub(home / HUB), hub(home / "data/hub", "models--acme--new")
    rc(home, f"export HF_HOME={home}/data")
    assert only(told("two-roots", home, {"PATH": "/bin"})).message.endswith("is used by a start file")


def test_a_package_cache_left_behind_is_removed_by_a_command_that_says_so(home: Path) -> None:
    for folder in (home / ".cache/pip", home / "pip cache"):
        makers.write(folder / "http-v2/0/1/2/3/4/file.body", b"b" * 5000)
    found = only(told("two-roots", home, {"PIP_CACHE_DIR": str(home / "pip cache")}))
    assert found.caution.startswith("removes ~/.cache/pip with ")
    run(found.command, home)
    assert not (home / ".cache/pip").exists()
    assert (home / "pip cache").is_dir()


@pytest.mark.parametrize("kept", ["", ".cache/huggingface"])
def test_one_root_alone_or_the_same_one_twice_is_no_fault(kept: str, home: Path) -> None:
    hub(home / HUB)
    env = {"HF_HOME": f"{home}/{kept}"} if kept else {"HF_HOME": f"{home}/empty"}
    assert not told("two-roots", home, env)


def test_a_root_inside_another_is_no_second_one(home: Path) -> None:
    hub(home / HUB)
    hub(home / HUB / "inner")
    assert not told("two-roots", home, {"HF_HUB_CACHE": f"{home}/{HUB}/inner"})


def test_a_link_to_the_root_in_force_is_no_second_root(home: Path) -> None:
    hub(home / "data/hub")
    (home / ".cache/huggingface").mkdir(parents=True)
    (home / HUB).symlink_to(home / "data/hub")
    assert not told("two-roots", home, {"HF_HUB_CACHE": f"{home}/data/hub"})


def test_several_folders_of_environments_are_no_fault(home: Path) -> None:
    makers.conda_env(home / "miniconda3/envs/a")
    makers.conda_env(home / "envs/b")
    assert not told("two-roots", home, {"CONDA_ENVS_DIRS": f"{home}/envs"})


def test_ten_thousand_roots_that_point_nowhere(home: Path) -> None:
    lines = "".join(f"{NOWHERE}/envs/{number}\n/Volumes/other/{number}\n" for number in range(5000))
    makers.write(home / ".conda" / "environments.txt", lines)
    found = [each for each in examine(home) if each.code == "missing-volume"]
    assert {each.place for each in found} == {NOWHERE, "/Volumes/other"}
    assert all(len(each.message) < 300 for each in found)

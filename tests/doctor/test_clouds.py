"""Folders that a program copies to a cloud."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
from doctor.patients import only, told
from modelyard.inventory import Platform


def checkpoint(home: Path, folder: str) -> Path:
    """A training checkpoint in a folder of the home."""
    return makers.trainer_checkpoint(home / folder / "my run", 500)


@pytest.mark.parametrize(
    ("platform", "folder", "start"),
    [
        ("linux", "Dropbox", "attr -s com.dropbox.ignored -V 1 "),
        ("linux", "Dropbox (Acme Inc.)", "attr -s com.dropbox.ignored -V 1 "),
        ("macos", "Dropbox", "xattr -w com.dropbox.ignored 1 "),
        ("macos", "Library/CloudStorage/Dropbox", "xattr -w 'com.apple.fileprovider.ignore#P' 1 "),
        ("macos", "Library/CloudStorage/OneDrive-Acme", "xattr -w 'com.apple.fileprovider.ignore#P' 1 "),
        ("macos", "Library/CloudStorage/GoogleDrive-a@b.c", "xattr -w 'com.apple.fileprovider.ignore#P' 1 "),
        ("macos", "Library/Mobile Documents", "xattr -w 'com.apple.fileprovider.ignore#P' 1 "),
        ("windows", "Dropbox", "Set-Content -Path "),
        ("windows", "OneDrive - Acme", "modelyard where"),
        ("linux", "Google Drive", "modelyard where"),
        ("linux", "Nextcloud", "modelyard where"),
    ],
)
def test_what_a_cloud_copies_is_told_with_its_mark(platform: Platform, folder: str, start: str, home: Path) -> None:
    saved = checkpoint(home, folder)
    found = only(told("in-cloud-folder", home, platform=platform))
    assert (found.severity, found.place) == ("fault", f"~/{folder}")
    assert found.command.startswith(start)
    if "where" not in start:
        assert f"'{saved}'" in found.command
        assert "copies on its servers" in found.caution


def test_a_root_in_a_cloud_folder_is_told_once_and_as_a_whole(home: Path) -> None:
    hub = home / "Dropbox/hub"
    for name in ("a", "b", "c"):
        makers.hub_repo(hub, f"models--acme--{name}", {"w": name.encode() * 5000})
    found = only(told("in-cloud-folder", home, {"HF_HUB_CACHE": str(hub)}))
    assert found.command == f"attr -s com.dropbox.ignored -V 1 {hub}"


@pytest.mark.parametrize(
    "folder", ["work", "src/Dropbox", "Dropbox clone of mine", "Boxes", "Library/Caches", ".dropbox"]
)
def test_folders_that_only_sound_alike_are_left_in_peace(folder: str, home: Path) -> None:
    checkpoint(home, folder)
    assert not told("in-cloud-folder", home)


def test_names_that_are_no_utf8_and_many_of_them(home: Path) -> None:
    for number in range(60):
        makers.trainer_checkpoint(home / "Dropbox" / os.fsdecode(b"run \xff'%d" % number), 500)
    found = only(told("in-cloud-folder", home))
    assert f"{found.message}{found.command}".isprintable()
    assert "these are the first 20 of 60" in found.caution

"""A version is there whole or not at all: killed, two at once, no room, no rights, names that lead elsewhere."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import modelyard as my
from modelyard.registry.errors import RegistryError
from modelyard.registry.versions import Version
from walk.disks import mounted, run

SMALL = {"w": np.arange(2000.0)}
KILLED = """
import os, random, signal, sys, time
import numpy as np
import modelyard as my
registry = my.Registry(sys.argv[1])
registry.save({"w": np.zeros(1)}, "net")
chance = random.Random(5)
for moment in range(100):
    child = os.fork()
    if not child:
        while True:
            size = chance.choice((10, 5000, 150_000))
            registry.save({"w": np.full(size, 1.0 + moment)}, "net", metrics={"moment": moment})
            registry.alias("net", "last", str(registry.versions("net")[-1]))
    time.sleep(chance.random() * 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    known = registry.versions("net")
    for version in known[-2:]:
        loaded = registry.load(f"net@{version}", verify=True)["w"]
        assert (loaded == registry.metadata(f"net@{version}").metrics.get("moment", -1) + 1).all()
    assert registry.aliases("net").get("last", known[0]) in known
assert all(each.state == "ok" for each in registry.verify())
print(len(known))
"""
WRITERS = """
import os, sys
import numpy as np
import modelyard as my
registry = my.Registry(sys.argv[1])
children = []
for number in range(4):
    child = os.fork()
    if not child:
        for _ in range(10):
            registry.save({"w": np.full(10, number)}, "net")
        os._exit(0)
    children.append(child)
assert not any(os.waitpid(child, 0)[1] for child in children)
"""


def script(text: str, folder: Path) -> str:
    """What a program prints that works well."""
    done = subprocess.run([sys.executable, "-c", text, folder], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_at_a_hundred_moments_every_version_listed_is_whole(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=600m") as disk:  # thousands of saves in seconds
        assert int(script(KILLED, disk)) > 20
        left = [path for path in (disk / "net").iterdir() if path.name.startswith(".modelyard-version")]
        assert left, "no kill hit a save, so nothing was tried"
        for each in left:
            os.utime(each, (0, 0))
        my.Registry(disk).save(SMALL, "net")
        assert not any(each.exists() for each in left)


def test_a_draft_that_another_process_holds_is_left_alone(tmp_path: Path) -> None:
    from modelyard.apply.disk import Disk
    from modelyard.apply.folder import folder

    registry = my.Registry(tmp_path)
    with folder(Disk(), os.fsencode(tmp_path / "net")) as made:
        os.utime(made.path, (0, 0))
        registry.save(SMALL, "net")
        assert Path(os.fsdecode(made.path)).exists()


def test_several_writers_never_get_the_same_version(tmp_path: Path) -> None:
    script(WRITERS, tmp_path)
    registry = my.Registry(tmp_path)
    assert registry.versions("net") == [Version(1, minor, 0) for minor in range(40)]
    assert all(each.state == "ok" for each in registry.verify())
    made = [int(registry.load(f"net@{each}")["w"][0]) for each in registry.versions("net")]
    assert sorted(made) == sorted([0, 1, 2, 3] * 10)


def test_of_two_writers_of_one_version_the_second_is_told(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    start, told = threading.Barrier(4), list[str]()

    def write() -> None:
        start.wait()
        try:
            told.append(str(registry.save(SMALL, "net", version="2.0.0")))
        except RegistryError as error:
            told.append(error.code)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(told) == ["net@2.0.0", *["version-exists"] * 3]
    assert [path.name for path in (tmp_path / "net").iterdir()] == ["v2.0.0"]


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m") as disk:
        registry = my.Registry(disk)
        registry.save(SMALL, "net")
        with pytest.raises(OSError, match="No space left") as caught:
            registry.save({"w": np.ones(1_000_000)}, "net")
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in (disk / "net").iterdir()] == ["v1.0.0"]
        assert str(registry.save(SMALL, "net")) == "net@1.1.0"
        assert all(each.state == "ok" for each in registry.verify())


def test_a_read_only_folder_is_told_and_still_read(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m") as disk:
        registry = my.Registry(disk)
        registry.save(SMALL, "net")
        run("mount", "-o", "remount,ro", disk)
        with pytest.raises(OSError, match="Read-only file system"):
            registry.save(SMALL, "net")
        assert registry.load("net")["w"].sum() == SMALL["w"].sum()
        assert all(each.state == "ok" for each in registry.verify())


HOSTILE = (
    "", "..", "../x", "a/../../x", "/etc/x", "a//b", "a/", ".hidden", "a/.git", "n" * 300, "a/" * 20 + "b", "a\x00b",
    "a\nb", "a\\b", "C:x", "v1.0.0", "a/v2.0.0-rc.1", "metadata.json", "net@1.0.0", "*", "~root", "-rf", " a", "a.",
    "\ud800", "a\u202eb", "層" * 100,
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    registry = my.Registry(tmp_path / "models")
    with pytest.raises(RegistryError) as caught:
        registry.save(SMALL, name)
    assert caught.value.code == "bad-name"
    assert not (tmp_path / "models").exists() and not (tmp_path / "x").exists()
    for verb in (registry.versions, registry.aliases):
        with pytest.raises(RegistryError):
            verb(name)


@pytest.mark.parametrize(
    "name", ["net", "team/net.v2", "größe", "層/モデル 1", "a" * 128, "e\u0301", "resnet-50_x", "v1"]
)
def test_names_of_every_language_with_dots_and_folders(tmp_path: Path, name: str) -> None:
    registry = my.Registry(tmp_path)
    which = registry.save(SMALL, name)
    assert [each for each, _ in registry.models()] == [which.name]
    assert registry.load(name)["w"].sum() == registry.load(f"{name}@^1")["w"].sum()


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    registry, outside = my.Registry(tmp_path / "models"), tmp_path / "outside"
    registry.save(SMALL, "net")
    outside.mkdir()
    (tmp_path / "models" / "other").symlink_to(outside)
    with pytest.raises(RegistryError, match="is a link"):
        registry.save(SMALL, "other")
    assert not list(outside.iterdir())
    registry.save(SMALL, "elsewhere/net")
    (tmp_path / "models" / "elsewhere").rename(tmp_path / "aside")
    (tmp_path / "models" / "elsewhere").symlink_to(tmp_path / "aside")
    assert [each for each, _ in registry.models()] == ["net"] and not registry.versions("elsewhere/net")
    with pytest.raises(RegistryError, match="no model is called"):
        registry.load("elsewhere/net")
    (registry.path("net").parent / "v3.0.0").symlink_to(registry.path("net"))
    assert registry.versions("net") == [Version(1, 0, 0)]
    with pytest.raises(RegistryError, match=r"has no version '3\.0\.0'"):
        registry.load("net@3.0.0")


def test_a_version_never_changes(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    registry.save(SMALL, "net", version="1.0.0")
    with pytest.raises(RegistryError, match=r"has a version 1\.0\.0 already"):
        registry.save(SMALL, "net", version="v1.0.0")
    with pytest.raises(RegistryError, match="no semantic version"):
        registry.save(SMALL, "net", version="1.0")
    assert {path.stat().st_mode & 0o777 for path in registry.path("net").iterdir()} == {0o444}


def test_equal_files_of_two_versions_are_on_the_disk_once(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    first, second = (registry.save(SMALL, "net", metrics={"at": at}) for at in (0, 1))
    third = registry.save({"w": np.arange(2001.0)}, "net")
    files = [(registry.path(each) / "model.safetensors").stat() for each in (first, second, third)]
    assert files[0].st_ino == files[1].st_ino != files[2].st_ino
    damaged = registry.path(second) / "model.safetensors"
    damaged.chmod(0o644)
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    fourth = registry.save(SMALL, "net")
    assert {each.version for each in registry.verify() if each.state != "ok"} == {str(first), str(second)}
    assert registry.load(fourth, verify=True)["w"].tolist() == SMALL["w"].tolist()


@pytest.mark.parametrize(
    "words",
    [{"metrics": {"loss": float("nan")}}, {"metrics": {"f1": "high"}}, {"extra": {"a": object()}},
     {"training": {"clip": [float("inf")]}}, {"datasets": [{"uri": "x"}]}, {"parent": "other@1.0.0"}],
)  # fmt: skip
def test_what_metadata_cannot_hold_is_told_before_the_work(tmp_path: Path, words: dict[str, object]) -> None:
    with pytest.raises(RegistryError):
        my.Registry(tmp_path / "models").save(SMALL, "net", **words)  # type: ignore[arg-type]
    assert not (tmp_path / "models").exists()

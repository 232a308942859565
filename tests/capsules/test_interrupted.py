"""Restorations that fail or are killed: nothing half is left, and nothing of anybody's is touched."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from capsules.making import frozen, listed, problem, served, variables
from modelyard.api.environments import Opened, opened, restore
from modelyard.apply.disk import Disk
from modelyard.apply.whole import BUILDING, alive, draft, scratch
from modelyard.capsules.capsule import encode
from modelyard.capsules.restore import Restored
from walk.disks import mounted

PROGRAM = """
import os, sys
from pathlib import Path
from modelyard.api.environments import opened, restore
print(restore(opened(Path(sys.argv[1])), Path(sys.argv[2]), os.environ, Path.home()))
"""


class Hanging(http.server.SimpleHTTPRequestHandler):
    """An index that never answers."""

    asked = threading.Event()
    done = threading.Event()

    def do_GET(self) -> None:
        """Waits."""
        self.asked.set()
        self.done.wait(60)

    def log_message(self, *words: object) -> None:
        """Says nothing."""


def test_a_restoration_that_fails_leaves_nothing(prefix: Path, home: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    before = sorted(home.iterdir())
    found = problem(restore(capsule, home / "again", variables(home), home))
    assert found.code == "failed"
    assert "public" in found.message or "other" in found.message
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_built_over_what_is_there(kind: str, prefix: Path, env: dict[str, str], home: Path) -> None:
    place = home / "again"
    if kind == "file":
        place.write_text("mine")
    elif kind == "folder":
        (place / "mine").mkdir(parents=True)
    else:
        place.symlink_to("nowhere")
    assert problem(restore(frozen(prefix, home / "capsules"), place, env, home)).code == "exists"
    assert os.path.lexists(place)
    assert kind != "folder" or (place / "mine").is_dir()
    assert not (home / f"again{BUILDING.decode()}").exists()


def test_a_disk_that_fills_up_leaves_nothing(prefix: Path, env: dict[str, str], home: Path, tmp_path: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    with mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=4M") as small:
        assert problem(restore(capsule, small / "again", env, home)).code in ("failed", "unreadable")
        assert list(small.iterdir()) == []


def test_killed_half_way_the_next_one_begins_anew(
    prefix: Path, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    capsule = frozen(prefix, home / "capsules")
    with served(tmp_path, Hanging) as address:
        hanging = env | {"PIP_INDEX_URL": address, "PIP_TIMEOUT": "60", "PYTHONPATH": os.pathsep.join(sys.path)}
        words = [sys.executable, "-c", PROGRAM, str(capsule.path), str(home / "again")]
        process = subprocess.Popen(words, env=hanging, start_new_session=True)
        try:
            assert Hanging.asked.wait(60)
            busy = problem(restore(capsule, home / "again", env, home))
            assert (busy.code, str(process.pid) in busy.message) == ("busy", True)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            Hanging.done.set()
    assert (home / "again" / "pyvenv.cfg").exists(), "a half environment is there"
    assert isinstance(restore(capsule, home / "again", env, home), Restored)
    assert listed(home / "again", env) == listed(prefix, env)
    assert sorted(each.name for each in home.iterdir()) == ["again", "capsules", "work"]


def test_a_python_that_is_not_here_is_named(prefix: Path, env: dict[str, str], home: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    other = msgspec.structs.replace(capsule.capsule, python="3.2.1").sealed()
    found = problem(restore(Opened(capsule.path, other, ""), home / "again", env, home))
    assert (found.code, "CPython 3.2" in found.message, "uv python install 3.2" in found.hint) == (
        "no-python",
        True,
        True,
    )
    assert not (home / "again").exists()
    assert encode(other) != encode(capsule.capsule)


def test_a_capsule_that_changes_after_it_was_read_is_not_installed(
    prefix: Path, env: dict[str, str], home: Path
) -> None:
    capsule = frozen(prefix, home / "capsules")
    data = bytearray(capsule.path.read_bytes())
    at = data.find(b"localpkg/data.bin")
    data[at + 60] ^= 0xFF
    capsule.path.write_bytes(data)
    assert problem(opened(capsule.path))
    assert problem(restore(capsule, home / "again", env, home)).code == "strange-capsule"
    assert not (home / "again").exists()


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert not alive(process.pid)
    return process.pid


def test_what_killed_processes_left_goes_and_nothing_else(home: Path) -> None:
    number = dead()
    (home / f".modelyard-draft-{number}-folder" / "deep").mkdir(parents=True)
    (home / f".modelyard-draft-{number}-capsule").write_text("half")
    (home / f".modelyard-draft-{os.getppid()}-capsule").write_text("somebody works on it")
    (home / ".modelyard-draft-x").write_text("not ours")
    with scratch(Disk(), bytes(home)) as place, draft(Disk(), place) as made:
        made.write(b"x")
    assert sorted(each.name for each in home.iterdir()) == [
        f".modelyard-draft-{os.getppid()}-capsule", ".modelyard-draft-x",
    ]  # fmt: skip


def test_killed_while_it_freezes_nothing_has_the_name_of_a_capsule(prefix: Path, home: Path) -> None:
    words = "import sys; from pathlib import Path; from modelyard.api.environments import write_capsule as w\n"
    words += "print(flush=True)\nfor _ in range(10**6): w(Path(sys.argv[1]), Path(sys.argv[2]))"
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(home)}
    for seconds in (0.0, 0.01, 0.02, 0.05, 0.1):
        command = [sys.executable, "-c", words, str(prefix), str(home / "capsules")]
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        process.communicate()
    for path in (home / "capsules").glob("*.zip"):
        assert isinstance(opened(path), Opened), path
    frozen(prefix, home / "capsules")
    assert not list((home / "capsules").glob(".modelyard-draft-*"))

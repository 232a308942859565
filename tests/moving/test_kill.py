"""The command itself, killed by the kernel at a system call: the hub shows everything, and the same command goes on."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import makers
from modelyard import api, cli
from modelyard.apply.disk import Disk
from modelyard.apply.lock import locked
from modelyard.cli.errors import guarded
from typed import Run
from walk.disks import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Another file system."""
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


def command(home: Path, disk: Path) -> list[str]:
    """The move."""
    place = str(disk / "hub")
    return [sys.executable, "-m", "modelyard", "--home", str(home), "--no-progress", "move", "hf", place, "--yes"]


def traced(home: Path, disk: Path, inject: str) -> subprocess.CompletedProcess[str]:
    """The move with something injected."""
    call, quick = inject.partition(":")[0], [] if "signal" in inject else ["--seccomp-bpf"]
    words = ["strace", "-f", *quick, "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={inject}"]
    return subprocess.run([*words, *command(home, disk)], capture_output=True, text=True, check=False)


def fresh(home: Path, disk: Path) -> Path:
    """A hub with two models, and nothing of an earlier move."""
    for each in [*home.iterdir(), *disk.iterdir()]:
        subprocess.run(["rm", "-rf", each], check=True)
    hub = home / ".cache" / "huggingface" / "hub"
    makers.write(hub.parent / "token", "secret")
    for name in ("models--acme--one", "models--acme--two"):
        makers.hub_repo(hub, name, {"config.json": b"{}", "model.safetensors": os.urandom(70_000)})
    return hub


def shown(home: Path) -> dict[str, int]:
    """The models that the owner's folder shows, with their bytes."""
    found = api.survey({}, home, "linux", system=False)
    return {each.id: each.sizes.apparent for each in found.artifacts if each.store == "hf"}


def killed(home: Path, disk: Path, at: int) -> bool:
    """The move in a process that kills itself at its call of this number that changes a disk; whether it came there."""
    pid = os.fork()
    if pid == 0:
        calls = itertools.count(1)

        def dying(method: Callable[..., object]) -> Callable[..., object]:
            def called(*arguments: object) -> object:
                if next(calls) == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return method(*arguments)

            return called

        for name, method in [*vars(Disk).items()]:
            if name[0] != "_":
                setattr(Disk, name, dying(method))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with contextlib.suppress(BaseException):
            os._exit(guarded(lambda: cli.modelyard.main(command(home, disk)[3:], standalone_mode=False)))
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def completes(home: Path, disk: Path, before: dict[str, int], at: object, run: Run) -> None:
    """The hub shows everything, and the same command goes on and comes to its end."""
    assert shown(home) == before, at
    done = run(*command(home, disk)[5:])
    assert done.code == 0, (at, done)
    assert shown(home) == before, at
    hub = home / ".cache" / "huggingface" / "hub"
    assert hub.is_symlink()
    assert [each.name for each in disk.iterdir()] == ["hub"], at
    assert (hub.parent / "token").read_text() == "secret"


def test_killed_at_any_call_the_hub_is_whole_and_the_same_command_completes(home: Path, disk: Path, run: Run) -> None:
    for at in itertools.count(1, 17):
        fresh(home, disk)
        before = shown(home)
        if not killed(home, disk, at):
            assert at > 100
            return
        completes(home, disk, before, at, run)


@pytest.mark.parametrize("at", ["renameat2:signal=KILL:when=1", "renameat2:signal=KILL:when=2"])
def test_killed_by_the_kernel_at_a_rename_the_same_command_completes(home: Path, disk: Path, at: str, run: Run) -> None:
    fresh(home, disk)
    before = shown(home)
    assert traced(home, disk, at).returncode == -signal.SIGKILL
    completes(home, disk, before, at, run)


def test_doctor_tells_of_the_copy_that_a_killed_move_left_and_its_command_finishes_it(
    home: Path, disk: Path, run: Run
) -> None:
    fresh(home, disk)
    assert traced(home, disk, "renameat2:signal=KILL:when=1").returncode == -signal.SIGKILL
    told = run("--home", str(home), "doctor", "--json")
    (found,) = [each for each in json.loads(told.out)["complaints"] if each["code"] == "unfinished-move"]
    assert str(disk / ".modelyard-moving-hub") in found["message"]
    assert found["command"] == f"modelyard move hf {disk}/hub --home {home}"
    state = home / ".local" / "state" / "modelyard"
    with locked(os.fsencode(state)):  # as while a move goes on
        assert "unfinished-move" not in run("--home", str(home), "doctor", "--json").out
    assert run(*found["command"].split()[1:], "--yes").code == 0
    assert "unfinished-move" not in run("--home", str(home), "doctor", "--json").out


@pytest.mark.parametrize("inject", ["syncfs:error=EIO:when=1", "renameat2:error=EIO:when=2"])
def test_the_kernel_refuses_a_call_and_the_hub_stays(home: Path, disk: Path, inject: str) -> None:
    hub = fresh(home, disk)
    before = shown(home)
    done = traced(home, disk, inject)
    assert done.returncode in (1, 3), done.stdout
    assert shown(home) == before
    assert not hub.is_symlink()
    assert not (disk / "hub").exists()

"""The folder of a stopped engine: whose it is, where it is told, and what stands in the way. No engine runs here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import makers
from modelyard import api
from modelyard.api import engines
from modelyard.api.moving import Refusal, Wish, missing, plan_move
from modelyard.api.reclaim import Yard
from modelyard.apply.copies.tree import grown
from modelyard.inventory import Root
from modelyard.plan import Plan
from modelyard.stores import docker
from modelyard.stores.docker_folders import of_machine
from moving.making import below, contents, sight
from typed import Answer, Run
from walk.disks import fresh_disk, mounted

LAYER = "overlay2/abc/diff"
UNIT = "etc/systemd/system/docker.service"
DROPPED = "etc/systemd/system/docker.service.d"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Another file system."""
    with fresh_disk("tmpfs", tmp_path) as folder:
        yield folder


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The machine's own folders."""
    return tmp_path / "machine"


def folder(path: Path) -> Path:
    """What an engine leaves when it stops, with a link that is right in a container alone."""
    makers.write(path / "image" / "overlay2" / "repositories.json", "{}")
    makers.write(path / LAYER / "opt" / "model.bin", b"m" * 9000)
    (path / LAYER / "var").symlink_to(path / LAYER)
    os.mknod(path / LAYER / "gone", 0o020000, 0)
    return path


def rootless(home: Path) -> Path:
    """The folder of a user's own engine."""
    return folder(home / ".local" / "share" / "docker")


def plan(home: Path, target: Path, name: str = "docker") -> Plan:
    """The plan, where the places of the machine count."""
    found = api.survey({}, home, "linux", system=True, adapters=[docker])
    using = api.everyone(found, {}, home, "linux", system=False)
    made = plan_move(found, using, Wish(name, str(target)), {}, home, "linux")
    assert made
    return made


def refused(home: Path, target: Path, name: str = "docker") -> str:
    """Why there is no plan, and what to do."""
    with pytest.raises(Refusal) as told:
        plan(home, target, name)
    return f"{told.value}: {told.value.instead}"


def test_the_engine_of_the_machine_moves_by_its_settings_and_comes_back(home: Path, machine: Path, disk: Path) -> None:
    data, file = folder(machine / "var/lib/docker"), machine / "etc/docker/daemon.json"
    before = sight(data)
    made = plan(home, disk)
    with Yard({}, home, "linux") as yard:
        done = yard.apply(made)
        assert (done.done, done.skipped, done.failed) == (3, [], [])
        assert json.loads(file.read_text()) == {"data-root": f"{disk}/docker"}
        assert file.stat().st_mode & 0o777 == 0o644
        assert not data.exists()
        moved = sight(disk / "docker")
        link = moved.pop(f"{LAYER}/var")
        assert link[-1] == f"{data}/{LAYER}", "a link in a layer is read in a container"
        assert moved == {name: each for name, each in before.items() if name != f"{LAYER}/var"}
        assert made.moves[0].say == ["sudo systemctl start docker", "docker info -f '{{.DockerRootDir}}'"]
        ledger = next(each for each in yard.ledgers() if not hasattr(each, "code"))
        assert yard.undo(ledger).done == 3
    assert sight(data) == before
    assert not file.exists()


def test_a_new_place_that_does_not_show_all_of_it_is_taken_back(
    home: Path, machine: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder is enough: the engine may want it."""
    data = folder(machine / "var/lib/docker")
    (data / "tmp").mkdir()
    before, made = sight(data), plan(home, disk)

    def losing(*arguments: Any, **more: Any) -> bytes:
        tree = grown(*arguments, **more)
        os.rmdir(tree + b"/tmp")
        return tree

    monkeypatch.setattr("modelyard.apply.acts.copying.grown", losing)
    with Yard({}, home, "linux") as yard:
        done = yard.apply(made)
    assert done.done == 0
    assert any("entries, and it had" in why for _, why in done.skipped), done
    assert sight(data) == before
    assert not (machine / "etc/docker/daemon.json").exists()


def test_a_new_place_that_lost_something_since_and_is_another_now_is_told(
    home: Path, machine: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking it back would lose what was changed there."""
    (folder(machine / "var/lib/docker") / "tmp").mkdir()

    def losing(*arguments: Any) -> str:
        (disk / "docker" / "tmp").rmdir()
        return missing(*arguments)

    monkeypatch.setattr("modelyard.api.reclaim.missing", losing)
    with Yard({}, home, "linux") as yard:
        done = yard.apply(plan(home, disk))
    assert (done.done, done.skipped) == (3, [])
    assert [(path, "entries, and it had" in why) for path, why in done.failed] == [(f"{disk}/docker", True)]


def test_it_is_counted_once_and_only_among_the_places_of_the_machine(home: Path, machine: Path) -> None:
    folder(machine / "var/lib/docker")
    (home / ".local/share").mkdir(parents=True)
    (home / ".local/share/docker").symlink_to(machine / "var/lib/docker")
    found = api.survey({}, home, "linux", system=True, adapters=[docker])
    assert len(found.artifacts) == 1
    (home / ".local/share/docker").unlink()
    assert not api.survey({}, home, "linux", system=False, adapters=[docker]).artifacts


def test_while_its_engine_runs_it_is_not_looked_at_and_not_moved(home: Path, machine: Path, disk: Path) -> None:
    data = folder(machine / "var/lib/docker")
    with process("dockerd", machine / "dockerd") as number:
        makers.write(machine / "var/run/docker.pid", f"{number}")
        assert str(data) not in [root.path for root in docker.roots({}, home, "linux") if isinstance(root, Root)]
        for name in ("docker", str(data)):
            told = refused(home, disk, name)
            assert f"its engine runs (process {number})" in told
            assert "sudo systemctl stop docker docker.socket" in told
    assert plan(home, disk)


@contextmanager
def process(name: str, copy: Path) -> Iterator[int]:
    """A process of this name."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(str(shutil.which("sleep")), copy)
    with subprocess.Popen([copy, "60"]) as running:
        comm = Path(f"/proc/{running.pid}/comm")
        while comm.read_text().strip() != name:  # it has its name a moment after it was started
            time.sleep(0.01)
        try:
            yield running.pid
        finally:
            running.kill()


def test_without_root_it_is_refused_with_the_way_to_become_root(home: Path, machine: Path, disk: Path) -> None:
    data = folder(machine / "var/lib/docker")
    data.chmod(0o710)
    open_to_all(machine)
    with user():
        assert not api.survey({}, home, "linux", system=True, adapters=[docker]).problems
        assert "root alone may look into" in refused(home, disk)
    shutil.rmtree(data)
    rootless(home)
    with user():
        assert "`rootlesskit modelyard move docker DEST`" in refused(home, disk)


def open_to_all(path: Path) -> None:
    """Lets everybody pass through the folders above."""
    for each in path.parents:
        if each.owner() == "root" and len(each.parts) > 2:
            each.chmod(each.stat().st_mode | 0o011)


@contextmanager
def user() -> Iterator[None]:
    """What is done by a user without rights."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def broken(home: Path, machine: Path) -> None:
    """Half a file."""
    makers.write(machine / "etc/docker/daemon.json", '{ "data-root": ')


def no_text(home: Path, machine: Path) -> None:
    """A file in an encoding that JSON does not know."""
    makers.write(machine / "etc/docker/daemon.json", b'{ "labels": ["\xff"] }')


def old_word(home: Path, machine: Path) -> None:
    """The word of engines before 17.05."""
    makers.write(machine / "etc/docker/daemon.json", json.dumps({"graph": str(machine / "var/lib/docker")}))


def commanded(home: Path, machine: Path) -> None:
    """A unit that names the folder, on a line that goes on."""
    makers.write(machine / UNIT, "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n")
    text = f"[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --data-root={machine}/var/lib/docker\n"
    makers.write(machine / DROPPED / "place.conf", text)


def by_variable(home: Path, machine: Path) -> None:
    """A unit that takes its options from a variable."""
    text = f'[Service]\nEnvironment="OPTIONS=-g {machine}/var/lib/docker"\nExecStart=/usr/bin/dockerd $OPTIONS\n'
    makers.write(machine / UNIT, text)


def by_file(home: Path, machine: Path) -> None:
    """A unit that takes its options from a file, as Debian's does."""
    text = f'#DOCKER_OPTS="-g /none"\nDOCKER_OPTS="--data-root={machine}/var/lib/docker"\n'
    file = makers.write(machine / "etc/default/docker", text)
    makers.write(machine / UNIT, f"[Service]\nEnvironmentFile=-{file}\nExecStart=/usr/sbin/dockerd $DOCKER_OPTS\n")


def member_of_a_swarm(home: Path, machine: Path) -> None:
    """The key of a node."""
    makers.write(machine / "var/lib/docker/swarm/certificates/swarm-node.key", "secret")


def test_a_disk_of_its_own_is_refused_before_anything_is_copied(home: Path, machine: Path, disk: Path) -> None:
    with mounted("tmpfs", machine / "var/lib/docker", "-t", "tmpfs") as data:
        folder(data)
        assert "mount that file system at the new place instead" in refused(home, disk)
    assert not [*disk.iterdir()]


@pytest.mark.parametrize(
    ("making", "words"),
    [
        (broken, "modelyard does not understand it well enough to change it"),
        (no_text, "modelyard does not understand it well enough to change it"),
        (old_word, "call it `data-root` there"),
        (commanded, "`systemctl cat docker` shows where"),
        (by_variable, "`systemctl cat docker` shows where"),
        (by_file, "`systemctl cat docker` shows where"),
        (member_of_a_swarm, "is a secret, which modelyard never moves"),
    ],
)
def test_what_its_owner_would_not_take_is_refused_and_nothing_is_touched(
    making: Callable[[Path, Path], None], words: str, home: Path, machine: Path, disk: Path
) -> None:
    folder(machine / "var/lib/docker")
    making(home, machine)
    before = contents(machine)
    assert words in refused(home, disk)
    assert contents(machine) == before


def test_a_broken_settings_file_of_ones_own_is_refused_and_untouched(home: Path, disk: Path, run: Run) -> None:
    rootless(home)
    file = makers.write(home / ".config/docker/daemon.json", '{ "data-root": ')
    done = run("move", "docker", str(disk), "--yes")
    assert done.code == 4, done
    assert f"{file} is left alone" in done.err
    assert file.read_text() == '{ "data-root": '


def test_the_unit_that_counts_is_the_strongest_with_what_was_dropped_in(machine: Path) -> None:
    makers.write(machine / "usr/lib/systemd/system/docker.service", "ExecStart=/usr/bin/dockerd -g /weak\n")
    assert of_machine().told() == "/weak"
    makers.write(machine / UNIT, "ExecStart=/usr/bin/dockerd --config-file /srv/daemon.json --graph '/strong'\n")
    assert (of_machine().told(), of_machine().settings_file()) == ("/strong", "/srv/daemon.json")
    makers.write(machine / DROPPED / "b.conf", "ExecStart=\nExecStart=/usr/bin/dockerd -H fd://\n")
    assert (of_machine().told(), of_machine().settings_file()) == ("", str(machine / "etc/docker/daemon.json"))
    makers.write(machine / DROPPED / "c.conf", "EnvironmentFile=-/none\n#ExecStart=/usr/bin/dockerd -g /commented\n")
    assert of_machine().told() == ""


def test_the_settings_of_a_user_stay_readable_for_that_users_engine(home: Path, disk: Path, run: Run) -> None:
    rootless(home)
    file = makers.write(home / ".config/docker/daemon.json", '{"debug": true}')
    os.chown(file, 1234, 4321)
    assert run("move", "docker", str(disk), "--yes").code == 0
    assert file.read_text() == f'{{"debug": true, "data-root": "{disk}/docker"}}'
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 4321)
    assert run("undo").code == 0
    assert file.read_text() == '{"debug": true}'


def test_the_disk_of_docker_desktop_is_refused_with_its_own_setting(home: Path, disk: Path, run: Run) -> None:
    image = makers.write(home / ".docker/desktop/vms/0/data/Docker.raw", b"d" * 8192)
    for name in ("docker", "docker:disk/Docker.raw", str(image)):
        done = run("move", name, str(disk), "--yes")
        assert done.code == 4, done
        assert "Disk image location" in done.err


def test_a_user_who_is_root_over_their_containers_moves_their_engine(disk: Path) -> None:
    """As `rootlesskit` does it: files of users that exist in containers alone stay theirs."""
    with tempfile.TemporaryDirectory() as base, open_disk(disk) as there:
        home, data = Path(base) / "anna", Path(base) / "anna/.local/share/docker"
        folder(data)
        os.setxattr(data / LAYER / "opt", "user.overlay.opaque", b"y")
        for path in (Path(base), *below(home)):
            owner = SUB if LAYER in str(path) else ANNA
            os.chown(path, owner, owner, follow_symlinks=False)
        before = sight(data)
        done = as_root_of(ANNA, "--home", str(home), "move", "docker", str(there), "--yes")
        assert done.code == 0, done
        moved = sight(there / "docker")
        assert {name: each[:5] for name, each in moved.items()} == {name: each[:5] for name, each in before.items()}
        assert moved[f"{LAYER}/opt"] == before[f"{LAYER}/opt"]
        assert json.loads((home / ".config/docker/daemon.json").read_text()) == {"data-root": f"{there}/docker"}


@pytest.mark.parametrize(
    ("release", "users", "hidden"),
    [
        ("5.4.0-42-generic", "0 4711 1\n1 100000 65536\n", True),
        ("5.11.0-16-generic", "0 4711 1\n1 100000 65536\n", False),
        ("4.19.0", "         0          0 4294967295\n", False),
    ],
)
def test_what_its_kernel_hides_from_a_user_is_not_lost(
    home: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, release: str, users: str, hidden: bool
) -> None:
    """Overlay file systems note removed folders in attributes, and some of those a copy by a user would not have."""
    rootless(home)
    monkeypatch.setattr(engines, "read_file", lambda path: users.encode())
    monkeypatch.setattr(engines, "release", lambda: release)
    if hidden:
        assert "this kernel hides from its user" in refused(home, disk)
    else:
        assert plan(home, disk).steps


ANNA, SUB = 4711, 100033


@contextmanager
def open_disk(disk: Path) -> Iterator[Path]:
    """A folder of a user on another disk."""
    open_to_all(disk / "anna")
    (disk / "anna").mkdir()
    os.chown(disk / "anna", ANNA, ANNA)
    yield disk / "anna"


SCRIPT = """
import ctypes, os, sys
assert ctypes.CDLL(None).unshare(0x10000000) == 0  # CLONE_NEWUSER
print(flush=True)
sys.stdin.readline()
os.setgroups([])
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "modelyard", *sys.argv[1:]])
"""
IDS = "0 {} 1\n1 100000 65536\n70000 0 1\n"
"""Who is who in the namespace; the last line lets the program be read wherever it lies."""


def as_root_of(user: int, *words: str) -> Answer:
    """A command in a namespace in which this user is root, and 65536 others belong to them (user_namespaces(7))."""
    command = [sys.executable, "-c", SCRIPT, *words]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as running:
        assert running.stdout
        running.stdout.readline()
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{running.pid}/{name}").write_text(IDS.format(user))
        out, err = running.communicate("\n")
    return Answer(running.returncode, out, err)

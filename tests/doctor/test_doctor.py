"""What holds for every check: it reads only, never raises, is silent on a healthy home, and its commands work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

import makers
import oracle
from doctor.patients import age, examine, only, rc, told
from doctor.test_environments import shared_hub, venv
from modelyard import api
from modelyard.doctor import CHECKS
from modelyard.doctor.complaint import SEVERITIES, Complaint
from modelyard.doctor.volumes import Volume

NASTY = os.fsdecode(b'it\'s "my" $HOME `id`\n\xff \xe2\x80\xae')
KINDS = ("ext4", "nfs4", "vfat", "tmpfs", "fuse.sshfs")


def sick(home: Path, odd: str = "x") -> dict[str, str]:
    """A home with something wrong for most checks, all under an odd name, and its variables."""
    hub = home / odd / "hub"
    makers.hub_repo(hub, "models--acme--tiny", {"w": b"w" * 5000})
    shared_hub(home)
    venv(home / odd / "venv", "huggingface_hub-0.36.0")
    venv(home / ".cache" / odd / "venv")
    makers.trainer_checkpoint(home / "Dropbox" / odd, 500)
    age(makers.write(home / ".cache/torch_extensions" / odd / "op/lock", b""), 3)
    makers.write(
        home / ".local/share/jupyter/kernels" / odd / "kernel.json", json.dumps({"argv": [f"{home}/gone/python"]})
    )
    makers.write(home / ".conda/environments.txt", os.fsencode(f"/mnt/{odd.splitlines()[0]}/env\n"))
    makers.write(home / ".netrc")
    rc(home, "export TRANSFORMERS_CACHE=/data/hub", "export TORCH_HOME='~/torch'")
    return {"HF_HUB_CACHE": str(hub), "UV_CACHE_DIR": odd, "PATH": "/bin", "HOME": str(home)}


def texts(each: Complaint) -> tuple[str, ...]:
    """Everything of a complaint that is shown."""
    return each.place, each.message, each.consequence, each.command, each.caution


def test_a_healthy_home_hears_nothing(home: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"w": b"w" * 5000})
    venv(home / "project/.venv", "huggingface_hub-2.4.0")
    makers.trainer_checkpoint(home / "runs/a", 500)
    rc(home, f"export HF_HOME={home}/.cache/huggingface", "alias ll='ls -l'")
    env = {"HF_HOME": f"{home}/.cache/huggingface", "PATH": "/bin", "HOME": str(home)}
    assert not examine(home, env, mounted=(Volume("/", "ext4", frozenset(["rw", "relatime"])),))


def test_an_empty_home_hears_nothing(home: Path) -> None:
    assert not examine(home)


@pytest.mark.parametrize("odd", ["x", "two words", NASTY])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_name_holds_every_complaint_can_be_shown_and_copied(odd: str, kind: str, home: Path) -> None:
    env = sick(home, odd)
    for platform in ("linux", "macos", "windows"):
        found = examine(home, env, platform, (Volume("/", kind, frozenset(["noatime"])),))
        assert len({each.code for each in found}) >= 8
        for each in found:
            assert "".join(texts(each)).isprintable(), each
            msgspec.json.encode(each)
            assert each.message and each.consequence and each.severity in SEVERITIES


def test_every_fault_and_danger_has_a_command(home: Path) -> None:
    env = sick(home)
    for kind in KINDS:
        for each in examine(home, env, mounted=(Volume("/", kind, frozenset(["ro"])),)):
            assert each.command or each.severity == "unchecked", each


def test_a_command_that_removes_says_what_it_removes(home: Path) -> None:
    removing = {"rm", "jupyter"}
    for each in examine(home, sick(home)):
        if each.command.split()[0] in removing:
            assert "removes" in each.caution, each
        assert "-delete" not in each.command


def test_commands_are_valid_for_the_shell(home: Path) -> None:
    for each in examine(home, sick(home, NASTY)):
        subprocess.run(["bash", "-n", "-c", each.command], check=True, capture_output=True)


def test_the_worst_comes_first_and_nothing_twice(home: Path) -> None:
    found = examine(home, sick(home))
    assert [each.severity for each in found] == sorted((each.severity for each in found), key=SEVERITIES.index)
    assert len(set(found)) == len(found)


def test_looking_changes_nothing(home: Path) -> None:
    env = sick(home)
    paths = list(oracle.below(home))
    oracle.age(paths)
    before = oracle.traces(paths)
    assert examine(home, env)
    assert oracle.traces(paths) == before
    assert list(oracle.below(home)) == paths


def test_nothing_is_run_and_nobody_is_called(home: Path) -> None:
    """A program of each name that leaves a trace, and an audit hook that ends the process at a socket or a fork."""
    env = sick(home)
    for name in ("ollama", "hf", "uv", "mount", "jupyter", "conda", "sed"):
        makers.write(home / "bin" / name, f"#!/bin/sh\ntouch {home}/ran\n").chmod(0o755)
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom modelyard import api\n"
        "forbidden = ('socket.', 'subprocess.', 'os.system', 'os.exec', 'os.fork', 'os.posix_spawn')\n"
        "home = Path(sys.argv[1])\n"
        "found = api.survey(os.environ, home, 'linux', system=False)\n"
        "sys.addaudithook(lambda name, _: os._exit(9) if name.startswith(forbidden) else None)\n"
        "print(len(api.examine(found, os.environ, home, 'linux', time.time_ns())))\n"
    )
    path = f"{home}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(home)], capture_output=True, text=True, env={**env, "PATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
    assert not (home / "ran").exists()


def test_what_could_not_be_read_is_told_and_not_passed_over(home: Path) -> None:
    makers.write(home / ".condarc", "envs_dirs: [")
    found = only(told("unread-unreadable-settings", home))
    assert (found.severity, found.place) == ("unchecked", f"{home}/.condarc")
    assert "--root" in found.consequence


def test_a_folder_that_others_closed_is_told_with_the_command_that_opens_it(open_home: Path) -> None:
    makers.write(open_home / "closed/file")
    (open_home / "closed").chmod(0)
    os.seteuid(65534)
    try:
        found = told("unread-unreadable", open_home)
    finally:
        os.seteuid(0)
    assert only(found).command == f"sudo modelyard doctor --home {open_home}"


def test_ten_thousand_roots_take_seconds_and_not_minutes(home: Path) -> None:
    """Environments all over a home, each a root of its own."""
    for number in range(10_000):
        folder = home / "work" / str(number // 100) / str(number) / ".venv"
        folder.mkdir(parents=True)
        (folder / "pyvenv.cfg").write_bytes(b"home = /usr/bin\n")
    found = api.survey({}, home, "linux", system=False)
    started = time.perf_counter()
    assert not api.examine(found, {}, home, "linux", time.time_ns())
    assert time.perf_counter() - started < 20


def test_every_store_can_be_examined(home: Path) -> None:
    for store, make in makers.layouts().items():
        make(home)
        examine(home, makers.variables(store, home))


def test_damaged_files_are_no_reason_to_stop(home: Path) -> None:
    env = sick(home)
    for path in [each for each in oracle.below(home) if each.is_file() and not each.is_symlink()]:
        kept = path.read_bytes()
        for damage in (b"", b"\x00" * 64, b"\xff\xfe{", b"[" * 60_000):
            path.write_bytes(damage)
            examine(home, env)
        path.write_bytes(kept)


def test_each_check_says_what_it_is_for() -> None:
    assert all(check.__doc__ for check in CHECKS)
    assert len(set(CHECKS)) == len(CHECKS)

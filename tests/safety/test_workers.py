"""Work that several processes share: what one of them does not come to is missing, and nothing else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelyard.safety import folders
from modelyard.safety.folders import scan_many
from modelyard.safety.glance import glance as plainly
from modelyard.safety.workers import MOST, shared
from safety.payloads import benign


def children() -> list[str]:
    """The processes that this one started and that are still there."""
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


def test_every_number_is_worked_on_once_and_answers_may_be_long() -> None:
    before = children()
    for workers in (1, 3, 8):
        found = list(shared(lambda number: bytes([number % 256]) * (number * 500), MOST, workers))
        assert sorted(number for number, _ in found) == [*range(MOST)]
        assert all(answer == bytes([number % 256]) * (number * 500) for number, answer in found)
    assert list(shared(lambda number: b"", 1, 4)) == [(0, b"")]
    assert children() == before


@pytest.mark.parametrize("how", ["killed", "raised"])
def test_only_what_a_stopped_process_was_at_is_missing(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    def work(number: int) -> bytes:
        if number == 7:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("no answer")
        time.sleep(0.01)
        return str(number).encode()

    assert sorted(number for number, _ in shared(work, 40, 2)) == [each for each in range(40) if each != 7]
    assert {number for number, _ in shared(work, 40, 1)} == {*range(7)}
    assert ("no answer" in capfd.readouterr().err) == (how == "raised")


def test_who_wants_no_more_leaves_no_process_behind() -> None:
    def work(number: int) -> bytes:
        time.sleep(60 if number else 0)
        return b"x"

    before = children()
    answers = shared(work, 10, 3)
    assert next(answers) == (0, b"x") and len(children()) == len(before) + 3
    began = time.monotonic()
    answers.close()  # type: ignore[attr-defined]
    assert children() == before and time.monotonic() - began < 30


@pytest.mark.parametrize("allowed", [0, 1])
def test_who_may_start_no_more_processes_does_the_work_with_those_there_are(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork, left = os.fork, [True] * allowed

    def scarce() -> int:
        if not left:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        left.pop()
        return fork()

    monkeypatch.setattr(os, "fork", scarce)
    opened = len(os.listdir("/proc/self/fd"))
    assert sorted(shared(lambda number: bytes([number]), 5, 3)) == [(number, bytes([number])) for number in range(5)]
    assert len(os.listdir("/proc/self/fd")) == opened


def test_no_process_outlives_one_that_was_killed(tmp_path: Path) -> None:
    """They would wait for ever for somebody to read what they found."""
    program = (
        "import os, sys, time; from pathlib import Path; from modelyard.safety.workers import shared\n"
        "def work(number):\n"
        "    Path(sys.argv[1], str(os.getpid())).touch()\n"
        "    time.sleep(0.05)\n"
        "    return bytes(1 << 20)\n"
        "answers = shared(work, 1000, 3); next(answers); print('begun', flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout and parent.stdout.readline() == b"begun\n"
        while len(started := [each for each in tmp_path.iterdir() if each.name.isdigit()]) < 3:
            time.sleep(0.01)
        parent.kill()
    until = time.monotonic() + 30
    while alive := [each.name for each in started if Path("/proc", each.name).exists()]:
        assert time.monotonic() < until, f"still there: {alive}"
        time.sleep(0.05)


def test_files_that_a_stopped_process_had_are_unknown_and_the_others_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}.pkl").write_bytes(benign())
    monkeypatch.setattr(folders, "ALONE", 0)
    monkeypatch.setattr(folders, "STARTING", 0)
    me = os.getpid()

    def glance(name: str, data: bytes) -> str | None:
        if name == "150.pkl" and os.getpid() != me:
            os.kill(os.getpid(), signal.SIGKILL)
        return plainly(name, data)

    monkeypatch.setattr(folders, "glance", glance)
    told = {Path(each.path).name: each for each in scan_many(sorted(map(str, tmp_path.glob("*.pkl"))), workers=2)}
    lost = [name for name, each in told.items() if each.verdict == "unknown"]
    assert "150.pkl" in lost and len(lost) <= 200 // 8 and len(told) == 200
    assert {each.findings[0].code for name, each in told.items() if name in lost} == {"unreadable"}
    assert {each.verdict for name, each in told.items() if name not in lost} == {"safe"}

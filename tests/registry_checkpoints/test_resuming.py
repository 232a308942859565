"""A training that was interrupted goes on as if it had not been: the same losses to the last bit."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from modelyard.registry.checkpoints import Checkpoints
from registry_checkpoints.runs import OPTIMIZERS, SCHEDULERS, begin, train
from walk.disks import mounted

STEPS, KILLS = 24, 100
PAIRS = [*zip(OPTIMIZERS, SCHEDULERS, strict=True), ("adam-amsgrad", "plateau")]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # a process that is forked has none of the others


@pytest.mark.parametrize(("optimizer", "scheduler"), PAIRS)
@pytest.mark.parametrize("behind", [False, True], ids=["at once", "behind"])
def test_losses_are_those_of_a_run_without_a_break(
    tmp_path: Path, optimizer: str, scheduler: str, behind: bool
) -> None:
    whole = train(None, begin(optimizer, scheduler), STEPS)
    found: dict[int, str] = {}
    for seed, until in enumerate((5, 6, 13, STEPS)):
        with Checkpoints(tmp_path, async_save=behind) as kept:
            found |= train(kept, begin(optimizer, scheduler, seed), until)
    assert found == whole


def _child(folder: Path, log: Path, behind: bool) -> None:
    with log.open("a", buffering=1) as out, Checkpoints(folder, async_save=behind) as kept:
        train(kept, begin(), sys.maxsize, lambda step, loss: print(step, loss, file=out))


def _killed(folder: Path, log: Path, behind: bool, seconds: float, steps: int) -> None:
    """Kills a training so long after it began, or after it had trained so many steps more."""
    told = _told(log) + steps
    pid = os.fork()
    if pid == 0:
        try:
            _child(folder, log, behind)
        finally:
            os._exit(1)
    while _told(log) < told:
        time.sleep(0.002)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it ended by itself"
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _told(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory: a killed process loses nothing that it wrote, so nothing need reach a medium."""
    with mounted("tmpfs", tmp_path / "memory", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


def test_killed_a_hundred_times_what_is_listed_is_whole_and_losses_are_the_same(memory: Path) -> None:
    folder, log = memory / "run", memory / "log"
    draw = random.Random(11)
    reached = 0
    for number in range(KILLS):
        _killed(folder, log, number % 2 == 1, draw.uniform(0.0, 0.03), steps=number % 3)
        kept = Checkpoints(folder)
        saved = kept.saved()
        assert not [each for each in saved if each.trouble]
        step = kept.resume(**begin().state())
        assert step >= reached, "a checkpoint that was there is lost"
        assert not saved or kept.load(draw.choice(saved).step)
        reached = step
    told = set(log.read_text().split("\n")) - {""}
    whole = train(None, begin(), max(int(line.split()[0]) for line in told))
    assert {f"{step} {loss}" for step, loss in whole.items()} >= told
    assert reached >= 20
    for left in folder.glob(".modelyard-*"):
        os.utime(left, (1, 1))
    train(Checkpoints(folder), begin(), reached + 1)
    assert len(list(folder.iterdir())) <= 5, "what kills left goes with the next save"

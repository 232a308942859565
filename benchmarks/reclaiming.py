"""What planning, applying and purging take beside other ways to remove things, and how true the predicted bytes are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.report import Report

MIB = 1 << 20
CHECKPOINTS = 500
FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "config.json", "trainer_state.json")
PROGRAM = """
import json, os, sys, time
from pathlib import Path
from modelyard import api
from modelyard.api import planning, reclaim
from modelyard.policies.clean import Wish
home, kind = Path(sys.argv[1]), sys.argv[2]
started = time.perf_counter()
survey = api.survey({}, home, "linux", system=False)
surveyed = time.perf_counter()
everyone = api.everyone(survey, {}, home, "linux", system=False)
ids = tuple(each.id for each in survey.artifacts if each.kind == kind or kind == "all")
plan = planning.plan_clean(survey, everyone, Wish(unproven=ids), time.time_ns())
planned = time.perf_counter()
with reclaim.Yard({"XDG_RUNTIME_DIR": str(home)}, home, "linux") as yard:
    applying = time.perf_counter()
    receipt = yard.apply(plan)
    applied = time.perf_counter()
    (ledger,) = yard.ledgers()
    os.sync()
    purged = yard.purge(ledger)
print(json.dumps({
    "survey": surveyed - started, "plan": planned - surveyed, "apply": applied - applying,
    "steps": len(plan.steps), "done": receipt.done, "predicted": plan.predicted, "exact": plan.exact,
}))
"""


@dataclass(frozen=True, slots=True)
class Removal:
    """Seconds, steps and bytes of one plan that was made, applied and purged."""

    survey: float
    plan: float
    apply: float
    steps: int
    done: int
    predicted: int
    exact: bool


def removed(home: Path, kind: str) -> Removal:
    """A fresh Python that removes every artifact of a kind."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(home), kind], capture_output=True, text=True, check=True)
    found = Removal(**json.loads(done.stdout))
    assert found.done == found.steps > 0, found
    return found


def checkpoints(home: Path) -> list[Path]:
    """500 checkpoints of small files in ten runs."""
    folders = []
    for number in range(CHECKPOINTS):
        folder = home / f"run-{number % 10}" / f"checkpoint-{number + 1}"
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / name).write_bytes(b"{}" if name.endswith("json") else b"w" * 4096)
        folders.append(folder)
    return folders


def apply_rounds(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds to put the same 500 checkpoints away, by each way."""
    tools = {
        "modelyard apply": [],
        "trash-put": [str(Path(sys.executable).with_name("trash-put")), "--"],
        "send2trash": [sys.executable, "-m", "send2trash"],
        "rm -rf, which cannot be undone": ["rm", "-rf", "--"],
    }
    results: dict[str, list[float]] = {name: [] for name in tools}
    for turn in range(rounds):
        for name in list(tools)[turn % len(tools) :] + list(tools)[: turn % len(tools)]:
            home = folder / "checkpoints"
            paths = checkpoints(home)
            os.sync()
            results[name].append(_seconds(home, paths, tools[name]))
            shutil.rmtree(home)
    return results


def _seconds(home: Path, paths: Sequence[Path], command: Sequence[str]) -> float:
    if not command:
        return removed(home, "checkpoint").apply
    env = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    started = time.perf_counter()
    subprocess.run([*command, *map(str, paths)], env=env, capture_output=True, check=True)
    return time.perf_counter() - started


@contextmanager
def disk(kind: str, folder: Path) -> Iterator[Path]:
    """A fresh file system of 2 GiB in a sparse file; takes root."""
    image, place = folder / f"{kind}.img", folder / kind
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(2048 * MIB)
    force = "-F" if kind == "ext4" else "-f"
    subprocess.run([f"mkfs.{kind}", "-q", force, str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        image.unlink()


def truth(kind: str, folder: Path) -> tuple[int, int]:
    """Bytes predicted and measured on one file system: hard links, holes, and shared extents where it has them."""
    with disk(kind, folder) as home:
        (home / ".local" / "share" / "modelyard").mkdir(parents=True)
        (home / ".local" / "state" / "modelyard").mkdir(parents=True)
        _weights(home, reflinks=kind != "ext4")
        before = free(home)
        found = removed(home, "checkpoint")
        measured = free(home) - before
    return found.predicted, measured


def _weights(home: Path, *, reflinks: bool) -> None:
    for number in range(1, 9):
        place = home / "run" / f"checkpoint-{number}"
        place.mkdir(parents=True)
        with (place / "model.safetensors").open("wb") as file:
            file.write(os.urandom(96 * MIB))
            file.seek(512 * MIB)
            file.write(os.urandom(MIB))
        (place / "trainer_state.json").write_text("{}")
        os.link(place / "model.safetensors", place / "pytorch_model.bin")
    kept = home / "kept"
    kept.mkdir()
    os.link(home / "run" / "checkpoint-1" / "model.safetensors", kept / "linked")
    if reflinks:
        source = home / "run" / "checkpoint-2" / "model.safetensors"
        subprocess.run(["cp", "--reflink=always", source, kept / "cloned"], check=True)
        twin = home / "run" / "checkpoint-3" / "twin.safetensors"
        subprocess.run(["cp", "--reflink=always", twin.with_name("model.safetensors"), twin], check=True)
    os.sync()


def free(place: Path) -> int:
    """Free bytes once the file system has finished what it does in the background."""
    seen = -1
    for _ in range(100):
        subprocess.run(["sync", "-f", str(place)], check=True)
        now = os.statvfs(place)
        if seen == now.f_bfree * now.f_frsize:
            break
        seen = now.f_bfree * now.f_frsize
        time.sleep(0.2)
    return seen


def part(report: Report, folder: Path, rounds: int) -> None:
    """Planning for the demo workstation, applying beside other ways, and predicted beside measured bytes."""
    from modelyard.demo.build import build

    demo = folder / "demo"
    build(demo, 7, 1)
    plan = removed(demo, "all")
    shutil.rmtree(demo)
    report.say(f"The plan for everything on the demo workstation, {plan.steps:,} steps: "
        f"{plan.plan:.2f} s after the survey of {plan.survey:.2f} s; applied in {plan.apply:.2f} s.\n")  # fmt: skip
    report.say("| 500 checkpoints put away by | s | modelyard takes |\n|---|---|---|")
    seconds = apply_rounds(folder, rounds)
    mine = seconds["modelyard apply"]
    for name, taken in seconds.items():
        share = median(own / other for own, other in zip(mine, taken, strict=True))
        report.say(f"| {name} | {median(taken):.3f} | {'' if taken is mine else f'{share:.2f} of it'} |")
    report.goal("seconds to plan for the demo workstation", plan.plan, 2.0)
    report.goal("seconds to apply 500 checkpoints", median(mine), 5.0)
    report.say("\n| file system | predicted | measured | apart |\n|---|---|---|---|")
    for kind in ("ext4", "xfs", "btrfs"):
        predicted, measured = truth(kind, folder)
        apart = abs(predicted - measured) / measured
        report.say(f"| {kind} | {predicted:,} | {measured:,} | {apart:.4%} |")
        report.goal(f"per cent between predicted and freed bytes on {kind}", apart * 100, 0.1)

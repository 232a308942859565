"""What a proven copy as safetensors takes beside copying and proving by hand, and beside loading and saving with torch.

`cp` proves nothing and does not wait for the medium: its counterpart is the step that writes, as a library call, with
and without the start of Python. The counterpart of a whole conversion is `cp`, `sync`, `cmp` and two digests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.contest import Runs, contest, ratio
from benchmarks.report import Report

GIB = 1 << 30
TENSORS = 64
COPY = "copy.safetensors"
MINE, ALONE = "modelyard convert", "modelyard, its writing alone"
BACK, ROUND = "modelyard convert --to torch", "modelyard convert --dtype bf16"
CP, CP_SYNC = "cp", "cp, then sync"
BY_HAND = "cp, sync, cmp, openssl sha256 of both"
SLOWLY = "cp, sync, cmp, sha256sum of both"
TORCH, MAPPED = "torch.load, save_file", "torch.load(mmap=True), save_file"
ONCE = (BACK, ROUND, SLOWLY, MAPPED)
"""Ways that no goal is about: they are run one time, behind the rounds of the others."""
MAKE = """
import sys, torch
size, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.save({f"layer.{at}.weight": torch.randn(size // count // 4096, 1024) for at in range(count)}, path)
"""
LOAD = """
import sys, torch, safetensors.torch
found = torch.load(sys.argv[1], weights_only=True, mmap=sys.argv[3] == "mmap")
safetensors.torch.save_file(found, sys.argv[2])
"""
WRITING = """
import os, sys, time
from modelyard.apply.disk import Disk
from modelyard.apply.filling import filling
from modelyard.convert.copying import fill, silent
from modelyard.convert.deciding import decided
from modelyard.convert.weights import Wish
class Hasty(Disk):
    def sync_folder(self, path):
        "Does not wait for the medium: cp does not either."
began = time.perf_counter()
with decided(sys.argv[1], sys.argv[2], Wish(), silent) as job:
    (shard,) = job.files
    with filling(Hasty(), job.folder, b"copy", shard.size, 0o644) as made:
        fill(made, job, shard)
        made.keep(os.fsencode(sys.argv[2]))
print("alone", time.perf_counter() - began)
"""


def source(folder: Path, size: int) -> Path:
    """A checkpoint of random numbers, dense on the disk: holes would make every copy look faster than it is."""
    path = folder / "model.pt"
    subprocess.run([sys.executable, "-c", MAKE, str(size), str(TENSORS), str(path)], check=True)
    return path


def commands(path: Path) -> dict[str, list[str]]:
    """Every way of copying to a file that is not there."""
    old, new = str(path), str(path.with_name(COPY))
    own = str(Path(sys.executable).with_name("modelyard"))
    python = [sys.executable, "-c"]
    return {
        CP: ["cp", old, new],
        CP_SYNC: ["sh", "-c", f"cp {old} {new} && sync {new}"],
        BY_HAND: ["sh", "-c", f"cp {old} {new} && sync {new} && cmp {old} {new} && openssl dgst -sha256 {old} {new}"],
        SLOWLY: ["sh", "-c", f"cp {old} {new} && sync {new} && cmp {old} {new} && sha256sum {old} {new}"],
        MINE: [own, "convert", old, new, "--no-progress"],
        BACK: ["sh", "-c", f"{own} convert {old} {new}.pt --to torch --no-progress && mv {new}.pt {new}"],
        ROUND: [own, "convert", old, new, "--dtype", "bf16", "--allow-lossy", "--no-progress"],
        ALONE: [*python, WRITING, old, new],
        TORCH: [*python, LOAD, old, new, "whole"],
        MAPPED: [*python, LOAD, old, new, "mmap"],
    }


def converted(folder: Path, size: int, rounds: int) -> dict[str, Runs]:
    """All ways, those with a goal paired round by round; needs room for twice the size.

    Taking a copy away is not measured, and fails where a way made none.
    """
    path, away = source(folder, size), (folder / COPY).unlink
    ways = commands(path)
    paired = {name: way for name, way in ways.items() if name not in ONCE}
    try:
        contest({MINE: ways[MINE]}, folder, 0, away)  # warms the cache
        results = contest(paired, folder, rounds, away, warm=True)
        return results | contest({name: ways[name] for name in ONCE}, folder, 1, away, warm=True)
    finally:
        path.unlink()


def table(results: dict[str, Runs]) -> list[str]:
    """The rows of a report."""
    lines = ["| way | runs | wall s | CPU s | peak MB | of `cp` |", "|---|---|---|---|---|---|"]
    for name, runs in results.items():
        share = median(runs.wall) / median(results[CP].wall) if name in ONCE else _with_start(runs, results[CP])
        seconds = f"{len(runs.wall)} | {median(runs.wall):.2f} | {median(runs.processor):.2f}"
        lines.append(f"| {name} | {seconds} | {max(runs.memory) / 1e6:.0f} | {share:.2f} |")
    return lines


def _with_start(mine: Runs, other: Runs) -> float:
    """The median of the rounds' ratios, start of Python and all."""
    return median(a / b for a, b in zip(mine.wall, other.wall, strict=True))


def goals(results: dict[str, Runs]) -> list[tuple[str, float, float]]:
    """What was promised: words, what came out, the limit."""
    return [
        ("writing safetensors, which proves nothing, as a library call / cp", ratio(results[ALONE], results[CP]), 1.3),
        ("the same with the start of Python / cp", _with_start(results[ALONE], results[CP]), 1.3),
        ("a proven conversion / cp, sync, cmp and openssl sha256", ratio(results[MINE], results[BY_HAND]), 1.0),
        ("peak MB of a conversion", max(results[MINE].memory) / 1e6, 100),
        ("a proven conversion / torch.load and save_file", ratio(results[MINE], results[TORCH]), 1.0),
    ]


def part(report: Report, folder: Path, rounds: int) -> None:
    """A torch checkpoint of MODELYARD_GIB, 4, into safetensors."""
    size = float(os.environ.get("MODELYARD_GIB", "4"))
    results = converted(folder, int(size * GIB), rounds)
    report.say(f"A torch checkpoint of {size:g} GiB into safetensors; the time that a way takes to start is in it.\n")
    for line in table(results):
        report.say(line)
    for words, value, limit in goals(results):
        report.goal(words, value, limit)

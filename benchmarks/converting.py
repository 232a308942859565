"""What a proven copy as safetensors takes beside `cp` of the same file, and beside loading and saving it with torch."""

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
MINE, ALONE = "modelyard convert", "modelyard, its writing alone"
BACK, ROUND = "modelyard convert --to torch", "modelyard convert --dtype bf16"
CP, CP_SYNC = "cp", "cp, then sync"
BY_HAND = "cp, sync, cmp, sha256sum of both"
TORCH, MAPPED = "torch.load, save_file", "torch.load(mmap=True), save_file"
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
import collections, sys
from pathlib import Path
from modelyard.api.converting import Wish, convert
from modelyard.apply.disk import Disk
from modelyard.convert import copying
from modelyard.convert.proof import Proof
copying.prove = lambda *_: Proof(collections.defaultdict(str))
Disk.sync = lambda *_: None
convert(Path(sys.argv[1]), Path(sys.argv[2]), Wish())
"""


def source(folder: Path, size: int) -> Path:
    """A checkpoint of random numbers, dense on the disk: holes would make every copy look faster than it is."""
    path = folder / "model.pt"
    subprocess.run([sys.executable, "-c", MAKE, str(size), str(TENSORS), str(path)], check=True)
    return path


def commands(path: Path) -> dict[str, list[str]]:
    """Every way of copying, each of which takes its copy away again."""
    old, new = str(path), str(path.with_name("copy.safetensors"))
    python, own = sys.executable, str(Path(sys.executable).with_name("modelyard"))
    ways = {
        CP: f"cp {old} {new}",
        CP_SYNC: f"cp {old} {new} && sync {new}",
        BY_HAND: f"cp {old} {new} && sync {new} && cmp {old} {new} && sha256sum {old} {new}",
        MINE: f"{own} convert {old} {new} --no-progress",
        BACK: f"{own} convert {old} {new}.pt --to torch --no-progress",
        ROUND: f"{own} convert {old} {new} --dtype bf16 --allow-lossy --no-progress",
        ALONE: f"{python} -c '{WRITING}' {old} {new}",
        TORCH: f"{python} -c '{LOAD}' {old} {new} whole",
        MAPPED: f"{python} -c '{LOAD}' {old} {new} mmap",
    }
    return {name: ["sh", "-c", f"{way}; status=$?; rm -f {new} {new}.pt; exit $status"] for name, way in ways.items()}


def converted(folder: Path, size: int, rounds: int) -> dict[str, Runs]:
    """All ways, paired round by round; needs room for twice the size."""
    path = source(folder, size)
    try:
        for way in commands(path).values():
            subprocess.run(way, check=True, stdout=subprocess.DEVNULL)
        return contest(commands(path), folder, rounds)
    finally:
        path.unlink()


def table(results: dict[str, Runs]) -> list[str]:
    """The rows of a report."""
    lines = ["| way | wall s | CPU s | peak MB | of `cp` |", "|---|---|---|---|---|"]
    for name, runs in results.items():
        share = ratio(runs, results[CP])
        seconds = f"{median(runs.wall):.2f} | {median(runs.processor):.2f}"
        lines.append(f"| {name} | {seconds} | {max(runs.memory) / 1e6:.0f} | {share:.2f} |")
    return lines


def goals(results: dict[str, Runs]) -> list[tuple[str, float, float]]:
    """What was promised: words, what came out, the limit."""
    return [
        ("writing safetensors / cp of the same file", ratio(results[ALONE], results[CP]), 1.3),
        ("a proven conversion / cp, sync, cmp and sha256sum", ratio(results[MINE], results[BY_HAND]), 1.0),
        ("peak MB of a conversion", max(results[MINE].memory) / 1e6, 100),
        ("a proven conversion / torch.load and save_file", ratio(results[MINE], results[TORCH]), 1.0),
    ]


def part(report: Report, folder: Path, rounds: int) -> None:
    """A torch checkpoint of MODELYARD_GIB, 4, into safetensors."""
    size = float(os.environ.get("MODELYARD_GIB", "4"))
    results = converted(folder, int(size * GIB), rounds)
    report.say(f"A torch checkpoint of {size:g} GiB into safetensors.\n")
    for line in table(results):
        report.say(line)
    for words, value, limit in goals(results):
        report.goal(words, value, limit)

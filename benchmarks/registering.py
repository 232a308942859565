"""Saving and loading a model with modelyard beside the peers, with the raw write of the same bytes as the limit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from benchmarks.registries import BEGIN, LOAD, LOADS, MINE, MODEL, RAW, READ, SAVE, SAVES, environment
from benchmarks.report import Report

LAYER = 64 << 20
"""Bytes of one layer."""
PRIVATE = "modelyard, a private copy, digested"
PEERS = ("MLflow", "BentoML", "safetensors, dvc add")
"""Those that live in an environment of their own."""
Figures = dict[str, dict[str, list[float]]]


def run(python: Path | str, program: str, folder: Path, layers: int, *words: str) -> dict[str, float]:
    """The figures that a program tells on its last line."""
    command = [str(python), "-c", BEGIN + program, str(folder), str(layers), *words]
    quiet = {
        "DO_NOT_TRACK": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "DVC_NO_ANALYTICS": "1",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **quiet}, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-2000:]}")
    return {key: float(value) for key, value in json.loads(done.stdout.splitlines()[-1]).items()}


def rounds(folder: Path, peers: Path, layers: int, turns: int) -> Figures:
    """Every way in turn, each round in another order; one model on the disk at a time."""
    figures: Figures = defaultdict(lambda: defaultdict(list))
    names = list(SAVES)
    for turn in range(turns + 1):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            place = Path(tempfile.mkdtemp(dir=folder))
            try:
                found = _once(name, place, peers, layers)
            finally:
                shutil.rmtree(place)
            for way, told in found.items() if turn else ():  # the first only warmed the caches
                for key, value in told.items():
                    figures[way][key].append(value)
    return figures


def _once(name: str, place: Path, peers: Path, layers: int) -> dict[str, dict[str, float]]:
    python = peers if name in PEERS else sys.executable
    found = {name: run(python, MODEL + SAVES[name] + SAVE, place, layers)}
    if name == RAW:
        found[name] |= run(python, READ, place, layers)
    for way in (name, PRIVATE) if name == MINE else (name,):
        if way in LOADS:
            run(python, LOADS[way] + LOAD, place, layers, "warm")  # from the disk, where it was not cached
            warm = run(python, LOADS[way] + LOAD, place, layers, "warm")
            cold = run(python, LOADS[way] + LOAD, place, layers, "cold")
            found.setdefault(way, {})
            found[way] |= {"cold": cold["load"], "read": warm["read"]}
    return found


def share(figures: Figures, name: str, key: str, of: str = RAW) -> float | None:
    """The median of the rounds' own ratios."""
    if key not in figures[name]:
        return None
    return median(a / b for a, b in zip(figures[name][key], figures[of][key], strict=True))


def table(report: Report, figures: Figures, size: int) -> None:
    """The rows of a report; `size` in bytes."""
    report.say(
        "| way | save s | of the raw write | on disk, of the model | cold load s | warm, all read s | of reading |"
    )
    report.say("|---|---|---|---|---|---|---|")
    for name, told in figures.items():
        cells = [name]
        for key, form in (("save", "{:.2f}"), ("save/", "{:.2f}"), ("disk", "{:.2f}"), ("cold", "{:.3f}"),
                          ("read", "{:.2f}"), ("read/", "{:.2f}")):  # fmt: skip
            value = share(figures, name, key[:-1]) if key.endswith("/") else median(told[key]) if key in told else None
            cells.append("" if value is None else form.format(value / size if key == "disk" else value))
        report.say(f"| {' | '.join(cells)} |")


def goals(report: Report, figures: Figures, size: int) -> None:
    """What was promised, for a model of that many bytes."""
    mine, title = figures[MINE], f"{size / (1 << 30):.3g} GiB"
    report.goal(f"{title}: save with SHA-256, of the raw write + fsync", share(figures, MINE, "save") or 9, 1.25)
    report.goal(f"{title}: cold load of metadata and mapped weights, seconds", median(mine["cold"]), 0.1)
    report.goal(f"{title}: warm read of everything, of reading the file", share(figures, MINE, "read") or 9, 1.1)
    report.goal(f"{title}: bytes on the disk, of the model", median(mine["disk"]) / size, 1.01)


def start(turns: int) -> float:
    """Seconds that `import modelyard` takes. RuntimeError where that, or asking for Registry, imports a framework."""
    program = (
        "import sys, time; began = time.perf_counter(); import modelyard; print(time.perf_counter() - began); "
        "modelyard.Registry; assert not {'torch', 'numpy', 'sklearn', 'onnx', 'keras'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", program]
    took = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(turns + 1)]
    return median(took[1:])


def part(report: Report, folder: Path, turns: int) -> None:
    """Models of 1 and 4 GiB, or of what MODELYARD_GIB names: `0.25 1`. Needs room for twice the largest."""
    peers = environment(folder)
    for gib in os.environ.get("MODELYARD_GIB", "1 4").split():
        layers = max(1, round(float(gib) * (1 << 30) / LAYER))
        figures = rounds(folder, peers, layers, turns)
        report.say(f"\n### A torch module of {float(gib):g} GiB\n")
        table(report, figures, layers * LAYER)
        goals(report, figures, layers * LAYER)
    report.goal("import modelyard, seconds", start(turns), 0.1)

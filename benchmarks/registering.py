"""Saving and loading a model with modelyard beside the peers, with the raw write of the same bytes as the limit."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.registries import BEGIN, LOAD, LOADS, MINE, MODEL, RAW, READ, SAVE, SAVES, environment

MIB = 1 << 20
PRIVATE = "modelyard, a private copy, digested"
PEERS = ("MLflow", "BentoML", "safetensors, dvc add")
"""Those that live in an environment of their own."""
Figures = dict[str, dict[str, list[float]]]
Say = Callable[[str], None]


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


def rounds(folder: Path, peers: Path | None, layers: int, turns: int) -> Figures:
    """Every way in turn, each round in another order; one model on the disk at a time."""
    figures: Figures = defaultdict(lambda: defaultdict(list))
    names = [name for name in SAVES if peers or name not in PEERS]
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


def _once(name: str, place: Path, peers: Path | None, layers: int) -> dict[str, dict[str, float]]:
    python = peers if name in PEERS and peers else sys.executable
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


def table(say: Say, figures: Figures, size: int) -> None:
    """The rows of a report; `size` in bytes."""
    say("| way | save s | of the raw write | on disk, of the model | cold load s | warm, all read s | of reading |")
    say("|---|---|---|---|---|---|---|")
    for name, told in figures.items():
        cells = [name]
        for key, form in (("save", "{:.2f}"), ("save/", "{:.2f}"), ("disk", "{:.2f}"), ("cold", "{:.3f}"),
                          ("read", "{:.2f}"), ("read/", "{:.2f}")):  # fmt: skip
            value = share(figures, name, key[:-1]) if key.endswith("/") else median(told[key]) if key in told else None
            cells.append("" if value is None else form.format(value / size if key == "disk" else value))
        say(f"| {' | '.join(cells)} |")


def start(turns: int) -> tuple[float, str]:
    """Seconds that `import modelyard` takes beyond Python's own start, and the frameworks that it imported."""
    program = (
        "import sys, modelyard; modelyard.Registry; print(*{'torch', 'numpy', 'sklearn', 'onnx'} & set(sys.modules))"
    )
    timed = "import time; began = time.perf_counter(); import modelyard; took = time.perf_counter() - began"
    found = []
    for _ in range(turns + 1):
        done = subprocess.run(
            [sys.executable, "-c", f"{timed}; print(took)"], capture_output=True, text=True, check=True
        )
        found.append(float(done.stdout))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = done.stdout.strip()
    return median(found[1:]), names


def report(say: Say, folder: Path, peers: Path | None, sizes: Sequence[int], turns: int) -> bool:
    """Measures and writes; whether everything that was promised holds."""
    held = True
    for size in sizes:
        layers = max(1, size // (64 * MIB))
        figures = rounds(folder, peers, layers, turns)
        say(f"\n### A torch module of {layers * 64 * MIB / 1e9:.2f} GB, {turns} rounds\n")
        table(say, figures, layers * 64 * MIB)
        goals = (
            ("save, SHA-256 included, of the raw write + fsync", share(figures, MINE, "save") or 9, 1.25),
            ("cold load of metadata and mapped weights, seconds", median(figures[MINE]["cold"]), 0.1),
            ("warm read of everything, of reading the file", share(figures, MINE, "read") or 9, 1.1),
            ("bytes on the disk, of the model", median(figures[MINE]["disk"]) / (layers * 64 * MIB), 1.01),
        )
        say("")
        for words, value, most in goals:
            held &= value <= most
            say(f"- {words}: {value:.3f} (at most {most}) {'holds' if value <= most else 'DOES NOT HOLD'}")
    seconds, names = start(turns)
    say(f"- import modelyard: {seconds:.3f} s (at most 0.1); frameworks that Registry imports: {names or 'none'}")
    return held and seconds <= 0.1 and not names


def main() -> int:
    """`python -m benchmarks.registering --gb 1 4`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, nargs="+", default=[1.0, 4.0], help="sizes of the model in GiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the disk to be measured")
    parser.add_argument("--no-peers", action="store_true", help="leave out what needs an environment of its own")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as place:
        peers = None if asked.no_peers else environment(Path(place))
        held = report(print, Path(place), peers, [round(each * (1 << 30)) for each in asked.gb], asked.rounds)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

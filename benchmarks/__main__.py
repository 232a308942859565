"""`make bench`: runs parts of the benchmark, each paired with its peers, and writes their ratios to results.md."""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

import modelyard
from benchmarks.report import Report

Part = Callable[[Report, Path, int], None]
"""Measures in a folder of its own, in so many rounds; each is the `part` of a file in this folder."""
PARTS = {
    "walking": "Walking and the inventory",
    "reclaiming": "Reclaiming",
    "scanning": "Scanning",
    "converting": "Converting",
    "registering": "Saving and loading",
    "deduping": "Finding duplicates",
    "moving": "Moving",
    "verifying": "Verifying",
    "checkpointing": "Checkpoints",
    "serving": "Serving",
}
"""By the name of its file: what it is called in results.md."""


def _machine(rounds: int) -> str:
    return (
        f"{platform.system()} {platform.release()}, {len(os.sched_getaffinity(0))} processors, "
        f"Python {platform.python_version()}, medians of {rounds} rounds; every ratio is the median of the rounds' own."
    )


def measure(name: str, folder: Path, rounds: int) -> None:
    """One part, whose section in results.md is written anew."""
    home = folder / "home"
    home.mkdir()
    os.environ |= {"HOME": str(home), "HF_HOME": str(home)}  # peers leave notes there
    report = Report(PARTS[name], _machine(rounds))
    cast(Part, import_module(f"benchmarks.{name}").part)(report, folder, rounds)
    report.keep()


def main() -> None:
    """Runs the parts that are named, all without a name."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None, help="where everything is built")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    compileall.compile_dir(Path(modelyard.__file__).parent, quiet=1)  # as an installation is, and as the peers are
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            measure(name, Path(folder), options.rounds)


if __name__ == "__main__":
    main()

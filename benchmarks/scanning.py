"""Scanning beside the other scanners: time and memory, and what each says of hostile and of honest files."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks import scanners
from benchmarks.contest import Runs, once
from benchmarks.report import Report

ROOT = Path(__file__).parent.parent
PATIENCE = 300
"""Seconds after which a scanner is stopped. One that takes more than a tenth of them runs once."""
CORPORA = {"pickles": "2,000 small pickles, 3 MB", "checkpoint.pt": "a torch checkpoint of 4.4 GB",
           "mixed": "a tree of 10,000 mixed files"}  # fmt: skip
VERDICTS = ("dangerous", "suspicious", "unknown", "safe")
Say = Callable[[str], None]
Goal = tuple[str, float, float]
"""What is promised in words, the value, and the most it may be."""


def paired(commands: Mapping[str, Sequence[str]], folder: Path, rounds: int, patience: float) -> dict[str, Runs]:
    """Rounds in turn as `contest` does them; what takes longer than the patience in the first round runs no more."""
    results = {name: Runs() for name in commands}
    for turn in range(rounds + 1):
        shift = turn % len(commands)
        for name in [*commands][shift:] + [*commands][:shift]:
            runs = results[name]
            if turn and runs.wall and runs.wall[0] > patience:
                continue
            wall, processor, memory, said = once(commands[name], folder)
            if turn == 1:
                runs.wall, runs.processor, runs.memory, runs.alone = [], [], [], []  # the first only warmed the cache
            runs.wall.append(wall)
            runs.processor.append(processor)
            runs.memory.append(memory)
            runs.alone.append(float(said.rpartition("walk alone ")[2]) if "walk alone " in said else wall)
    return results


def share(mine: Sequence[float], other: Sequence[float]) -> float:
    """The median of the rounds' ratios; of the medians where the other ran once."""
    if len(mine) != len(other):
        return median(mine) / median(other)
    return median(a / b for a, b in zip(mine, other, strict=True))


def speed(say: Say, place: Path, folder: Path, corpora: Path, rounds: int, patience: int) -> list[Goal]:
    """A table for each corpus; what was promised."""
    goals: list[Goal] = []
    for name, title in CORPORA.items():
        found = paired(scanners.commands(place, corpora / name, patience), folder, rounds, patience / 10)
        mine = found[scanners.MINE]
        say(f"\n### {title}\n")
        say("| scanner | wall s | of it once imported s | CPU s | peak MB | rounds | modelyard takes | once imported |")
        say("|---|---|---|---|---|---|---|---|")
        for scanner, runs in sorted(found.items(), key=lambda item: median(item[1].wall)):
            stopped = median(runs.wall) >= patience  # who is killed leaves no account of processor and memory
            used = "| | |" if stopped else f"| {median(runs.processor):.2f} | {max(runs.memory) / 1e6:.0f} |"
            wall = f"{'at least ' if stopped else ''}{median(runs.wall):.2f}"
            beside = scanner != scanners.MINE
            ratios = f"{share(mine.wall, runs.wall):.3f} | {share(mine.alone, runs.alone):.3f}" if beside else "|"
            say(f"| {scanner} | {wall} | {median(runs.alone):.3f} {used} {len(runs.wall)} | {ratios} |")
            if beside:
                goals.append((f"{title}: modelyard / {scanner}", share(mine.wall, runs.wall), 0.2))
                goals.append((f"{title}: once both are imported", share(mine.alone, runs.alone), 0.2))
        if name == "checkpoint.pt":
            goals.append((f"{title}: seconds", median(mine.wall), 0.2))
            goals.append((f"{title}: peak MB", max(mine.memory) / 1e6, 60))
    return goals


def judged(say: Say, place: Path, folder: Path, labelled: Path, patience: int) -> list[Goal]:
    """What each scanner says of each file of the labelled corpus; in any order, as a slow one does not come to all."""
    paths = sorted(str(path) for path in labelled.rglob("*") if path.is_file())
    random.Random(1).shuffle(paths)
    families = sorted(each.name for each in (labelled / "malicious").iterdir())
    say("\n### What they say of the tests' own files\n")
    say(f"| scanner | files | of the hostile stopped | called dangerous | {' | '.join(families)} "
        "| of the honest dangerous | suspicious | not read |")  # fmt: skip
    say(f"|---|---|---|---|{'---|' * len(families)}---|---|---|")
    goals: list[Goal] = []
    for name in scanners.JUDGES:
        told = scanners.verdicts(place, name, paths, folder, patience)
        counts = Counter((_family(path, labelled), verdict) for path, verdict in told.items())
        of = Counter(family for family, _ in counts.elements())
        hostile = sum(of[family] for family in families)
        stopped = {family: of[family] - counts[family, "safe"] for family in families}
        dangerous = sum(counts[family, "dangerous"] for family in families)
        say(f"| {name} | {len(told)} | {sum(stopped.values()) / hostile:.1%} | {dangerous / hostile:.1%} | "
            + " | ".join(f"{stopped[family]} of {of[family]}" for family in families)
            + " | " + " | ".join(f"{counts['benign', each] / of['benign']:.1%}" for each in VERDICTS[:3])
            + " |")  # fmt: skip
        if name == "modelyard":
            passed = 100 - 100 * sum(stopped.values()) / hostile
            goals = [("per cent of the hostile files that modelyard lets pass", passed, 0),
                     ("honest files that modelyard calls dangerous", counts["benign", "dangerous"], 0),
                     ("per cent of the honest files that it calls suspicious",
                      100 * counts["benign", "suspicious"] / of["benign"], 2)]  # fmt: skip
    marker = (labelled / "marker").exists()
    say(f"\nThe hostile files would leave a marker if anything executed one: {'there is ONE' if marker else 'none'}.")
    return [*goals, ("markers of executed files", marker, 0)]


def _family(path: str, labelled: Path) -> str:
    top, below = Path(path).relative_to(labelled).parts[:2]
    return below if top == "malicious" else top


def soundness(say: Say, env: Mapping[str, str]) -> list[Goal]:
    """What the analysis names beside what CPython's own machines reach in the same programs."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soundness"], check=True, env=env, capture_output=True, text=True
    )
    say("\n### Callables named beside those that CPython reaches\n")
    say("Random pickle programs and damaged pickles, by CPython's machines in a process where looking up a name and "
        "calling it only record; an extra one is named by the analysis in a program that CPython finishes without "
        "reaching it.\n")  # fmt: skip
    say(done.stdout.strip())
    extra, missed = done.stderr.split()
    return [("per cent of named callables that CPython never reaches", float(extra), 2),
            ("things that CPython reaches and the analysis does not name", float(missed), 0)]  # fmt: skip


def part(report: Report, folder: Path, rounds: int) -> None:
    """Makes the corpora and the scanners' environment in a folder, and measures."""
    folder, patience = folder.resolve(), int(os.environ.get("MODELYARD_PATIENCE", PATIENCE))
    place, corpora, labelled = scanners.environment(folder), folder / "corpora", folder / "labelled"
    home = folder / "scanners-home"
    for each in (corpora, home):
        each.mkdir()
    os.environ |= scanners.QUIET | {"HOME": str(home)}
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    env = {**os.environ, "PYTHONPATH": path}
    for module, to in (("models", corpora), ("labelled", labelled)):
        subprocess.run([sys.executable, "-m", f"benchmarks.{module}", str(to)], check=True, env=env)
    report.say(f"{scanners.versions(place)}, in an environment of their own, settings as they come, no cache "
        "and no reports home; stopped after {patience} s. The weights of the checkpoint are holes of the file, so "
        "nothing of it comes from a disk. Peak memory is that of the largest process. picklescan looks at names that "
        "end like models, fickling has no command for folders and is called file by file. One that is slow runs "
        "once.".replace("{patience}", str(patience)))  # fmt: skip
    goals = speed(report.say, place, home, corpora, rounds, patience)
    goals += judged(report.say, place, home, labelled, patience) + soundness(report.say, env)
    for words, value, limit in goals:
        report.goal(words, value, limit)

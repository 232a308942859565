"""`make bench`: builds the trees, runs everything paired, prints the ratios and writes benchmarks/results.md."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import deduping, peers, reading, reclaiming, scanning, trees
from benchmarks.contest import Runs, contest, ratio

RESULTS = Path(__file__).parent / "results.md"
MINE = "modelyard walker"
Report = list[str]


def say(report: Report, line: str = "") -> None:
    """Prints a line and keeps it for the report."""
    print(line, flush=True)
    report.append(line)


def entries_of(tree: Path) -> int:
    """How many names the tree holds."""
    code = "import sys; from modelyard.walk.tree import walk; print(walk([sys.argv[1]]).totals().entries)"
    return int(
        subprocess.run([sys.executable, "-c", code, str(tree)], capture_output=True, text=True, check=True).stdout
    )


def rows(report: Report, results: dict[str, Runs], mine: str, count: int) -> None:
    """A table: seconds, memory, entries a second, and how long mine takes beside each."""
    say(report, f"| program | wall s | CPU s | peak MB | entries/s | {mine} takes |")
    say(report, "|---|---|---|---|---|---|")
    for name, runs in sorted(results.items(), key=lambda item: median(item[1].wall)):
        wall, share = median(runs.wall), ratio(results[mine], runs)
        cells = (
            f"{wall:.3f}",
            f"{median(runs.processor):.2f}",
            f"{max(runs.memory) / 1e6:.0f}",
            f"{count / wall:,.0f}",
        )
        say(report, f"| {name} | {' | '.join(cells)} | {'' if name == mine else f'{share:.2f} of it'} |")


def goal(report: Report, words: str, value: float, limit: float) -> bool:
    """One line that says whether a goal is met."""
    met = value <= limit
    say(report, f"- {'met' if met else 'MISSED'}: {words}: {value:.2f}, goal at most {limit:g}")
    return met


def walk_part(report: Report, title: str, tree: Path, build: Path, rounds: int) -> dict[str, Runs]:
    """The walker against the peers on one tree."""
    count = entries_of(tree)
    say(report, f"\n## {title}: {count:,} entries\n")
    results = contest(peers.walkers(tree, build), tree, rounds)
    rows(report, results, MINE, count)
    return results


def best(results: dict[str, Runs], names: tuple[str, ...]) -> str:
    """The fastest of the named that took part."""
    return min((name for name in results if name in names), key=lambda name: median(results[name].alone))


def linear_part(report: Report, folder: Path, sizes: list[int], rounds: int) -> float:
    """Seconds a million entries as the tree grows; the largest of the big trees' rates over the smallest."""
    say(
        report,
        "\n## Time grows with the entries\n\n| entries | wall s | µs an entry | peak MB a million |\n|---|---|---|---|",
    )
    rates = []
    for size in sizes:
        tree = folder / f"linear-{size}"
        trees.environments(tree, size)
        count = entries_of(tree)
        command = [sys.executable, "-c", peers.WALKER.format(portable=False, threads=2), str(tree)]
        results = contest({"walk": command}, folder, rounds)
        wall = median(results["walk"].alone)
        memory = max(results["walk"].memory) / 1e6
        say(report, f"| {count:,} | {wall:.3f} | {wall / count * 1e6:.2f} | {memory / count * 1e6:.0f} |")
        rates.append((count, wall / count))
        shutil.rmtree(tree)
    big = [rate for count, rate in rates if count >= 90_000]
    return max(big) / min(big)


def reading_part(report: Report, home: Path, rounds: int) -> float:
    """What each adapter takes after the walk, and what the index of references adds to it; the share of the walk."""
    looks = [reading.look(home) for _ in range(rounds + 1)][1:]
    walked, indexed = median(each.walk for each in looks), median(each.references for each in looks)
    say(report, "\n## What each adapter takes\n")
    say(
        report,
        f"The walk takes {walked:.3f} s, everything with all adapters {median(e.survey for e in looks):.3f} s.\n",
    )
    say(report, "| store | ms | share of the walk |\n|---|---|---|")
    names = sorted(looks[0].stores, key=lambda name: -median(each.stores[name] for each in looks))
    for name in names:
        seconds = median(each.stores[name] for each in looks)
        say(report, f"| {name} | {seconds * 1000:.2f} | {seconds / walked:.1%} |")
    say(report, f"\nReferences in {looks[0].files:,} files of code: {indexed * 1000:.1f} ms")
    return median(each.references / each.walk for each in looks)


def reclaiming_part(report: Report, folder: Path, rounds: int) -> list[tuple[str, float, float]]:
    """Planning for the demo workstation, applying beside other ways, and predicted beside measured bytes."""
    from modelyard.demo.build import build

    demo = folder / "demo"
    build(demo, 7, 1)
    plan = reclaiming.removed(demo, "all")
    shutil.rmtree(demo)
    say(report, f"\n## Reclaiming\n\nThe plan for everything on the demo workstation, {plan.steps:,} steps: "
        f"{plan.plan:.2f} s after the survey of {plan.survey:.2f} s; applied in {plan.apply:.2f} s.\n")  # fmt: skip
    say(report, "| 500 checkpoints put away by | s | modelyard takes |\n|---|---|---|")
    seconds = reclaiming.apply_rounds(folder, rounds)
    mine = seconds["modelyard apply"]
    for name, taken in seconds.items():
        share = median(own / other for own, other in zip(mine, taken, strict=True))
        say(report, f"| {name} | {median(taken):.3f} | {'' if taken is mine else f'{share:.2f} of it'} |")
    goals = [("seconds to plan for the demo workstation", plan.plan, 2.0),
             ("seconds to apply 500 checkpoints", median(mine), 5.0)]  # fmt: skip
    say(report, "\n| file system | predicted | measured | apart |\n|---|---|---|---|")
    for kind in ("ext4", "xfs", "btrfs"):
        predicted, measured = reclaiming.truth(kind, folder)
        apart = abs(predicted - measured) / measured
        say(report, f"| {kind} | {predicted:,} | {measured:,} | {apart:.4%} |")
        goals.append((f"per cent between predicted and freed bytes on {kind}", apart * 100, 0.1))
    return goals


def help_part(report: Report, rounds: int) -> float:
    """Seconds until the help is there."""
    command = [str(Path(sys.executable).with_name("modelyard")), "--help"]
    runs = contest({"help": command}, Path.cwd(), rounds)["help"]
    say(report, f"\n`modelyard --help`: {median(runs.wall):.3f} s")
    return median(runs.wall)


def part_alone(part: str, place: Path | None, rounds: int, patience: int) -> None:
    """Scanning or deduping without the rest; the results file stays as it is."""
    report: Report = []
    with tempfile.TemporaryDirectory(dir=place) as name:
        if part == "deduping":
            promised = deduping.part(lambda line: say(report, line), Path(name), rounds)
        else:
            promised = scanning.part(lambda line: say(report, line), Path(name), rounds, patience)
    say(report, "\n### Goals\n")
    for words, value, limit in promised:
        goal(report, words, value, limit)


def main() -> None:
    """Runs the whole benchmark."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the tree with environments")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None, help="where the trees are built")
    parser.add_argument("--largest", type=int, default=5_000_000, help="entries of the largest tree")
    parser.add_argument(
        "--parts", choices=("all", "scanning", "deduping"), default="all", help="one part alone, printed only"
    )
    parser.add_argument("--patience", type=int, default=scanning.PATIENCE, help="seconds that a scanner may take")
    options = parser.parse_args()
    if options.parts != "all":
        part_alone(options.parts, options.folder, options.rounds, options.patience)
        return
    report: Report = ["# Results of `make bench`\n"]
    machine = f"{platform.system()} {platform.release()}, {len(os.sched_getaffinity(0))} processors"
    say(report, f"{machine}, Python {platform.python_version()}.")
    say(report, "For the walker `wall` is the call in a running Python, for programs the whole process.")
    say(report, f"Hot cache, medians of {options.rounds} rounds; every ratio is the median of the rounds' own ratios.")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        work, plain = folder / "work", folder / "plain"
        (folder / "home").mkdir()
        os.environ |= {"HOME": str(folder / "home"), "HF_HOME": str(folder / "home")}  # peers leave notes there
        trees.workstation(work, options.entries)
        trees.plain(plain, options.entries // 3)
        linked = walk_part(report, "A workstation with hard-linked environments", work, folder, options.rounds)
        flat = walk_part(report, "A tree without hard links", plain, folder, options.rounds)
        count = entries_of(work)
        say(report, f"\n## The whole inventory of the workstation: {count:,} entries\n")
        whole = contest(peers.inventories(work), work, options.rounds)
        rows(report, whole, "modelyard --json", count)
        share = reading_part(report, work, options.rounds)
        cache = entries_of(work / ".cache" / "huggingface")
        say(report, f"\n## The hub cache alone: {cache:,} entries\n")
        rows(report, contest(peers.hub_listings(work), work, options.rounds), "modelyard ls --json", cache)
        shutil.rmtree(work)
        shutil.rmtree(plain)
        sizes = [size for size in (10_000, 100_000, 1_000_000, 5_000_000) if size <= options.largest]
        growth = linear_part(report, folder, sizes, min(options.rounds, 5))
        reclaimed = reclaiming_part(report, folder, options.rounds)
        deduped = deduping.part(lambda line: say(report, line), folder, min(options.rounds, 5))
        scanned = scanning.part(lambda line: say(report, line), folder, options.rounds, options.patience)
    help_seconds = help_part(report, options.rounds)
    goals(report, linked, flat, whole, count, growth, help_seconds, share)
    for words, value, limit in (*reclaimed, *deduped, *scanned):
        goal(report, words, value, limit)
    RESULTS.write_text("\n".join(report) + "\n")


def goals(
    report: Report, linked: dict[str, Runs], flat: dict[str, Runs], whole: dict[str, Runs], count: int, growth: float,
    help_seconds: float, share: float,
) -> None:  # fmt: skip
    """What was promised and what came out."""
    say(report, "\n## Goals\n")
    once = tuple(name for name in peers.COUNTS_LINKS_ONCE if name != "os.walk + lstat")
    rival, quickest = best(linked, once), best(flat, (*once, "pdu", "diskus", "find -size", "scandir-rs"))
    goal(report, "with environments, walker / GNU du", ratio(linked[MINE], linked["GNU du"]), 0.45)
    goal(
        report,
        f"with environments, walker / {rival}, the best that counts links once",
        ratio(linked[MINE], linked[rival]),
        0.6,
    )
    goal(
        report,
        "with environments, walker / bare listing without a stat",
        ratio(linked[MINE], linked["bare getdents64, no stat"]),
        2.3,
    )
    goal(report, f"without hard links, walker / {quickest}, the best peer", ratio(flat[MINE], flat[quickest]), 1.05)
    goal(report, "whole inventory / GNU du", ratio(whole["modelyard --json"], whole["GNU du"]), 0.7)
    goal(report, "index of references / walk", share, 0.05)
    goal(report, "peak MB a million entries, walker", max(linked[MINE].memory) / count, 120)
    goal(report, "slowest rate / fastest rate from 100 thousand entries up", growth, 1.5)
    goal(report, "seconds to `modelyard --help`", help_seconds, 0.15)


if __name__ == "__main__":
    main()

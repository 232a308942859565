"""The walker and the whole inventory beside the programs that people use to see what fills a disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks import peers, reading, trees
from benchmarks.contest import Runs, contest, ratio
from benchmarks.report import Report

MINE = "modelyard walker"


def entries_of(tree: Path) -> int:
    """How many names the tree holds."""
    code = "import sys; from modelyard.walk.tree import walk; print(walk([sys.argv[1]]).totals().entries)"
    return int(
        subprocess.run([sys.executable, "-c", code, str(tree)], capture_output=True, text=True, check=True).stdout
    )


def rows(report: Report, results: dict[str, Runs], mine: str, count: int) -> None:
    """A table: seconds, memory, entries a second, and how long mine takes beside each."""
    report.say(f"| program | wall s | CPU s | peak MB | entries/s | {mine} takes |")
    report.say("|---|---|---|---|---|---|")
    for name, runs in sorted(results.items(), key=lambda item: median(item[1].wall)):
        wall, share = median(runs.wall), ratio(results[mine], runs)
        cells = (
            f"{wall:.3f}",
            f"{median(runs.processor):.2f}",
            f"{max(runs.memory) / 1e6:.0f}",
            f"{count / wall:,.0f}",
        )
        report.say(f"| {name} | {' | '.join(cells)} | {'' if name == mine else f'{share:.2f} of it'} |")


def walk_part(report: Report, title: str, tree: Path, build: Path, rounds: int) -> dict[str, Runs]:
    """The walker against the peers on one tree."""
    count = entries_of(tree)
    report.say(f"\n### {title}: {count:,} entries\n")
    results = contest(peers.walkers(tree, build), tree, rounds)
    rows(report, results, MINE, count)
    return results


def best(results: dict[str, Runs], names: tuple[str, ...]) -> str:
    """The fastest of the named that took part."""
    return min((name for name in results if name in names), key=lambda name: median(results[name].alone))


def linear_part(report: Report, folder: Path, sizes: list[int], rounds: int) -> float:
    """Seconds a million entries as the tree grows; the largest of the big trees' rates over the smallest."""
    report.say(
        "\n### Time grows with the entries\n\n| entries | wall s | µs an entry | peak MB a million |\n|---|---|---|---|"
    )
    report.say("|---|---|---|---|")
    rates = []
    for size in sizes:
        tree = folder / f"linear-{size}"
        trees.environments(tree, size)
        count = entries_of(tree)
        command = [sys.executable, "-c", peers.WALKER.format(portable=False, threads=2), str(tree)]
        results = contest({"walk": command}, folder, rounds)
        wall = median(results["walk"].alone)
        memory = max(results["walk"].memory) / 1e6
        report.say(f"| {count:,} | {wall:.3f} | {wall / count * 1e6:.2f} | {memory / count * 1e6:.0f} |")
        rates.append((count, wall / count))
        shutil.rmtree(tree)
    big = [rate for count, rate in rates if count >= 90_000]
    return max(big) / min(big)


def reading_part(report: Report, home: Path, rounds: int) -> float:
    """What each adapter takes after the walk, and what the index of references adds to it; the share of the walk."""
    looks = [reading.look(home) for _ in range(rounds + 1)][1:]
    walked, indexed = median(each.walk for each in looks), median(each.references for each in looks)
    report.say("\n### What each adapter takes\n")
    report.say(
        f"The walk takes {walked:.3f} s, everything with all adapters {median(e.survey for e in looks):.3f} s.\n",
    )
    report.say("| store | ms | share of the walk |\n|---|---|---|")
    names = sorted(looks[0].stores, key=lambda name: -median(each.stores[name] for each in looks))
    for name in names:
        seconds = median(each.stores[name] for each in looks)
        report.say(f"| {name} | {seconds * 1000:.2f} | {seconds / walked:.1%} |")
    report.say(f"\nReferences in {looks[0].files:,} files of code: {indexed * 1000:.1f} ms")
    return median(each.references / each.walk for each in looks)


def help_part(report: Report, rounds: int) -> float:
    """Seconds until the help is there."""
    command = [str(Path(sys.executable).with_name("modelyard")), "--help"]
    runs = contest({"help": command}, Path.cwd(), rounds)["help"]
    report.say(f"\n`modelyard --help`: {median(runs.wall):.3f} s")
    return median(runs.wall)


def goals(
    report: Report, linked: dict[str, Runs], flat: dict[str, Runs], whole: dict[str, Runs], count: int, growth: float,
    help_seconds: float, share: float,
) -> None:  # fmt: skip
    """What was promised and what came out."""
    once = tuple(name for name in peers.COUNTS_LINKS_ONCE if name != "os.walk + lstat")
    rival, quickest = best(linked, once), best(flat, (*once, "pdu", "diskus", "find -size", "scandir-rs"))
    report.goal("with environments, walker / GNU du", ratio(linked[MINE], linked["GNU du"]), 0.45)
    report.goal(
        f"with environments, walker / {rival}, the best that counts links once",
        ratio(linked[MINE], linked[rival]),
        0.6,
    )
    report.goal(
        "with environments, walker / bare listing without a stat",
        ratio(linked[MINE], linked["bare getdents64, no stat"]),
        2.3,
    )
    report.goal(f"without hard links, walker / {quickest}, the best peer", ratio(flat[MINE], flat[quickest]), 1.05)
    report.goal("whole inventory / GNU du", ratio(whole["modelyard --json"], whole["GNU du"]), 0.7)
    report.goal("index of references / walk", share, 0.05)
    report.goal("peak MB a million entries, walker", max(linked[MINE].memory) / count, 120)
    report.goal("slowest rate / fastest rate from 100 thousand entries up", growth, 1.5)
    report.goal("seconds to `modelyard --help`", help_seconds, 0.15)


def part(report: Report, folder: Path, rounds: int) -> None:
    """All of it. MODELYARD_ENTRIES and MODELYARD_LARGEST: entries of the trees, a million and five."""
    entries, largest = (
        int(os.environ.get("MODELYARD_ENTRIES", 10**6)),
        int(os.environ.get("MODELYARD_LARGEST", 5 * 10**6)),
    )
    report.say("For the walker `wall` is the call in a running Python, for programs the whole process. Hot cache.")
    work, plain = folder / "work", folder / "plain"
    trees.workstation(work, entries)
    trees.plain(plain, entries // 3)
    linked = walk_part(report, "A workstation with hard-linked environments", work, folder, rounds)
    flat = walk_part(report, "A tree without hard links", plain, folder, rounds)
    count = entries_of(work)
    report.say(f"\n### The whole inventory of the workstation: {count:,} entries\n")
    whole = contest(peers.inventories(work), work, rounds)
    rows(report, whole, "modelyard --json", count)
    share = reading_part(report, work, rounds)
    cache = entries_of(work / ".cache" / "huggingface")
    report.say(f"\n### The hub cache alone: {cache:,} entries\n")
    rows(report, contest(peers.hub_listings(work), work, rounds), "modelyard ls --json", cache)
    shutil.rmtree(work)
    shutil.rmtree(plain)
    sizes = [size for size in (10_000, 100_000, 1_000_000, 5_000_000) if size <= largest]
    growth = linear_part(report, folder, sizes, min(rounds, 5))
    goals(report, linked, flat, whole, count, growth, help_part(report, rounds), share)

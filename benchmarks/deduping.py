"""What finding duplicates takes beside the programs that do it: many small files, and few large ones read cold."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Process
from pathlib import Path
from statistics import median

from benchmarks.report import Report

MIB = 1 << 20
MINE, CALL = "modelyard dupes", "modelyard's search, the call"
PROGRAM = """
import sys
from modelyard.api.equality import Search
from modelyard.api.identity import find_equal
from modelyard.walk.digest_cache import DigestCache
from modelyard.walk.tree import walk
found = find_equal(Search(walk([sys.argv[1]]), DigestCache(), 1))
print(len(found.equal))
"""
"""Walks and searches, without the stores and whose the files are; the start of Python counts."""
PROVE = ("fdupes", "rmlint -pp", "jdupes")
"""Those that prove that files are equal, by comparing their bytes."""


@dataclass(slots=True)
class Taken:
    """What the rounds of one program took: seconds, seconds of the processor, bytes read from the disk, peak bytes."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def small_files(folder: Path, count: int) -> None:
    """Files of a few kilobytes, of which two of five are copies of earlier ones."""
    chance, kept = random.Random(1), list[bytes]()
    for number in range(count):
        place = folder / str(number // 500)
        if number % 500 == 0:
            place.mkdir(parents=True)
        if kept and chance.random() < 0.4:
            content = chance.choice(kept)
        else:
            content = chance.randbytes(min(int(chance.lognormvariate(7.0, 1.1)) + 1, 60_000))
            if chance.random() < 0.4:
                kept.append(content)
        (place / str(number)).write_bytes(content)


def large_files(folder: Path, size: int) -> None:
    """Twelve files of one size: two pairs of equal ones, fine-tunes of one base, a stranger.

    Five of the fine-tunes share its head and its tail and differ between them, one only its head, one only its tail.
    """
    folder.mkdir()
    tensors = 64
    piece = max(size // tensors // MIB, 1) * MIB
    places = [[at * piece, (at + 1) * piece] for at in range(tensors)]
    told = {f"layer{at}": {"dtype": "U8", "shape": [piece], "data_offsets": place} for at, place in enumerate(places)}
    header = json.dumps(told).encode()
    chance = random.Random(2)
    middles = {f"middle{at}": at for at in (9, 20, 31, 42, 53)}
    seeds = {"base": 0, "base-again": 0, "other": 1, "other-again": 1, "stranger": 2} | dict.fromkeys(middles, 0)
    changed = middles | {"head": tensors - 1, "tail": 0}
    for name, seed in (seeds | {"head": 0, "tail": 0}).items():
        with (folder / f"{name}.safetensors").open("wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            for at in range(tensors):
                block = random.Random(seed * 1000 + at).randbytes(MIB)
                if changed.get(name) == at:
                    block = chance.randbytes(len(block))
                for _ in range(piece // MIB):
                    file.write(block)
            file.flush()
            os.fsync(file.fileno())


def read_by_ends(folder: Path) -> int:
    """Bytes that size, first and last 16 KiB, and then a digest of every byte would read, as fclones does."""
    ends: dict[tuple[bytes, bytes], list[int]] = {}
    for path in folder.iterdir():
        with path.open("rb") as file:
            head = file.read(16384)
            file.seek(-16384, os.SEEK_END)
            ends.setdefault((head, file.read()), []).append(path.stat().st_size)
    whole = sum(sum(sizes) for sizes in ends.values() if len(sizes) > 1)
    return whole + 2 * 16384 * sum(map(len, ends.values()))


def named_files(folder: Path) -> None:
    """The copies that stores keep: one in the hub's cache and one in Ollama, named by their digest."""
    import hashlib

    for name, place in (("base-again", "models--a--b/blobs/{}"), ("other-again", "blobs/sha256-{}")):
        source = folder / f"{name}.safetensors"
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = folder / place.format(digest)
        target.parent.mkdir(parents=True)
        source.rename(target)


def forget(folder: Path) -> None:
    """Takes the files out of the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def commands(folder: Path, home: Path) -> dict[str, list[str]]:
    """What takes part, of what is installed."""
    mine = Path(sys.executable).with_name("modelyard")
    told = ["--all", "--files-only", "--json", "--home", str(home), str(folder)]
    found = {MINE: [str(mine), "dupes", *told], CALL: [sys.executable, "-c", PROGRAM, str(folder)]}
    peers = {
        "jdupes -Q": ["jdupes", "-Q", "-r", "-q", str(folder)],
        "jdupes": ["jdupes", "-r", "-q", str(folder)],
        "rdfind": ["rdfind", "-dryrun", "true", "-makeresultsfile", "false", "-outputname", "/dev/null", str(folder)],
        "fdupes": ["fdupes", "-r", "-q", str(folder)],
        "rmlint": ["rmlint", "-o", "summary:stdout", "-T", "df", str(folder)],
        "rmlint -pp": ["rmlint", "-pp", "-o", "summary:stdout", "-T", "df", str(folder)],
    }
    return found | {name: words for name, words in peers.items() if shutil.which(words[0])}


def once(command: Sequence[str], taken: Taken | None) -> None:
    """One run; `ru_inblock` counts blocks of 512 bytes that the disk was asked for."""
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd="/")
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    if taken is not None:
        taken.wall.append(wall)
        taken.processor.append(used.ru_utime + used.ru_stime)
        taken.read.append(used.ru_inblock * 512)
        taken.memory.append(used.ru_maxrss * 1024)


def rounds_of(
    programs: Mapping[str, Sequence[str]], home: Path, rounds: int, before: Callable[[], object]
) -> dict[str, Taken]:
    """One round that is not measured, then the measured ones, each in another order; nothing is remembered between."""
    results = {name: Taken() for name in programs}
    names = list(programs)
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            shutil.rmtree(home / ".local", ignore_errors=True)
            before()
            once(programs[name], results[name] if turn else None)
    return results


def ratio(mine: Taken, other: Taken) -> float:
    """The median of the rounds' ratios."""
    return median(a / b for a, b in zip(mine.wall, other.wall, strict=True))


def table(say: Callable[[str], object], results: dict[str, Taken]) -> None:
    """What each took, the fastest first."""
    say("| program | wall s | CPU s | MiB read | peak MB | modelyard takes |")
    say("|---|---|---|---|---|---|")
    for name, each in sorted(results.items(), key=lambda item: median(item[1].wall)):
        share = "" if name == MINE else f"{ratio(results[MINE], each):.2f} of it"
        cells = (f"{median(each.wall):.2f}", f"{median(each.processor):.2f}", f"{median(each.read) / MIB:,.0f}",
                 f"{max(each.memory) / 1e6:.0f}", share)  # fmt: skip
        say(f"| {name} | {' | '.join(cells)} |")


def apart(make: Callable[[Path, int], None], folder: Path, number: int) -> None:
    """Makes a corpus in a process of its own: the memory of this one is counted for those that it starts."""
    made = Process(target=make, args=(folder, number))
    made.start()
    made.join()
    assert made.exitcode == 0


def part(report: Report, folder: Path, rounds: int) -> None:
    """Both corpora. MODELYARD_FILES and MODELYARD_BYTES: how many small files, and how large the large ones are."""
    count, size = int(os.environ.get("MODELYARD_FILES", 200_000)), int(os.environ.get("MODELYARD_BYTES", 1 << 30))
    home = folder / "nobody"
    home.mkdir()
    apart(small_files, folder / "small", count)
    report.say(f"\n### Duplicates among {count:,} small files, hot cache\n")
    many = rounds_of(commands(folder / "small", home), home, rounds, lambda: None)
    table(report.say, many)
    goals = [(f"duplicates of small files, modelyard / {name}", ratio(many[MINE], many[name]), 1.0)
             for name in ("jdupes -Q", "rdfind", "fdupes", "rmlint") if name in many]  # fmt: skip
    goals.append(("peak MB of modelyard among small files", max(many[MINE].memory) / 1e6, 100))
    shutil.rmtree(folder / "small")
    big = folder / "large"
    apart(large_files, big, size)
    whole = 12 * size
    report.say(f"\n### Duplicates among 12 files of {size / MIB:,.0f} MiB, cold\n")
    few = rounds_of(commands(big, home), home, rounds, lambda: forget(big))
    table(report.say, few)
    goals += [(f"duplicates of large files, modelyard / {name}", ratio(few[MINE], few[name]), 1.0)
              for name in PROVE if name in few]  # fmt: skip
    ends = read_by_ends(big)
    report.say(
        f"\nSize, first and last 16 KiB, then a digest of the rest, as fclones does, reads {ends / MIB:,.0f} MiB.\n"
    )
    goals.append(("bytes read / size, prefix, suffix and full hash", median(few[MINE].read) / ends, 0.5))
    named_files(big)
    named = rounds_of({MINE: commands(big, home)[MINE]}, home, 1, lambda: forget(big))[MINE]
    read, every = median(named.read) / MIB, whole / MIB
    report.say(f"\nWhere two copies have names that are digests: {read:,.0f} MiB of {every:,.0f} read\n")
    goals.append(("bytes read where names carry digests / all bytes", median(named.read) / whole, 0.25))
    shutil.rmtree(big)
    for words, value, limit in goals:
        report.goal(words, value, limit)

"""Moving onto another disk, read back from the medium, beside `cp`, `rsync` and `mv`; and what a power loss leaves.

`python -m benchmarks.moving` as root. The other disk is a fresh ext4 on a loop device that keeps nothing in memory.
Every way gets a source that is not in memory. `cp` and `rsync` are followed by a re-read of the copy from the medium,
which modelyard's time holds already, together with its start, its survey, the switch and the trash. Neither of them
compares anything.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import shlex
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.report import Report

MIB = 1 << 20
SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
STORE = Path(".cache/huggingface/datasets")
FILES, SIZE = 8, 16 * MIB
MODELYARD = [sys.executable, "-m", "modelyard", "--no-progress"]


@contextmanager
def disk(kind: str, base: Path, size: int) -> Iterator[Path]:
    """A fresh file system of this many bytes on a loop device with direct access."""
    image, place = base / f"{kind}.img", base / kind
    with image.open("wb") as file:
        file.truncate(size)
    run(f"mkfs.{kind}", "-q", {"ext4": "-F", "xfs": "-f"}[kind], image)
    device = run("losetup", "--direct-io=on", "--find", "--show", image).strip()
    place.mkdir(exist_ok=True)
    run("mount", device, place)
    try:
        yield place
    finally:
        run("umount", "-l", place)
        run("losetup", "-d", device)
        image.unlink()


def run(*command: str | Path) -> str:
    """Runs a program; what it printed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def forget(folder: Path) -> None:
    """Takes the content of all files out of the memory of the system."""
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(place, name), os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def many(folder: Path, count: int) -> None:
    """So many files as caches hold them: most of a few KiB, a few large ones, two hundred folders."""
    rng, pool = random.Random(5), os.urandom(4 * MIB)
    for number in range(count):
        place = folder / f"{number % 200:03d}"
        place.mkdir(parents=True, exist_ok=True)
        size = min(int(rng.lognormvariate(8.2, 1.6)), 3 * MIB)
        (place / f"{number:06d}").write_bytes(pool[number % MIB :][:size])


def few(folder: Path, size: int) -> None:
    """Eight files of this size together."""
    folder.mkdir(parents=True)
    for number in range(8):
        with (folder / f"shard-{number}").open("wb") as file:
            for _ in range(size // 8 // (4 * MIB)):
                file.write(os.urandom(4 * MIB))


def timed(command: list[str]) -> tuple[float, int]:
    """Wall seconds and peak bytes of a command with its children."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, command
    child.returncode = 0
    return time.perf_counter() - started, used.ru_maxrss * 1024


def copied(home: Path, target: Path, command: str) -> tuple[float, int]:
    """A copy by others, and the re-read of it from the medium."""
    first, memory = timed(["sh", "-c", command.format(shlex.quote(str(home / STORE)), shlex.quote(str(target)))])
    forget(target)
    second, _ = timed(["sh", "-c", f"find {shlex.quote(str(target))} -type f -print0 | xargs -0 cat"])
    shutil.rmtree(target)
    return first + second, memory


def moved(home: Path, target: Path) -> tuple[float, int]:
    """A move by modelyard, taken back afterwards."""
    words = [*MODELYARD, "--home", str(home)]
    found = timed([*words, "move", "hf-datasets", str(target), "--yes"])
    assert (home / STORE).is_symlink()
    run(*words, "undo")
    return found


WAYS: dict[str, Callable[[Path, Path], tuple[float, int]]] = {
    "modelyard move": moved,
    "cp -a, sync, re-read": lambda home, target: copied(home, target, "cp -a {0} {1} && sync -f {1}"),
    "rsync -aHAXS --fsync, re-read": lambda home, target: copied(home, target, "rsync -aHAXS --fsync {0}/ {1}"),
}


def contest(report: Report, home: Path, place: Path, rounds: int, title: str) -> None:
    """Every way in every round, each round in another order; medians of the rounds' own ratios."""
    results: dict[str, list[float]] = {name: [] for name in WAYS}
    memory: dict[str, int] = dict.fromkeys(WAYS, 0)
    names = list(WAYS)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            forget(home / STORE)
            run("sync", "-f", place)
            seconds, peak = WAYS[name](home, place / "datasets")
            results[name].append(seconds)
            memory[name] = max(memory[name], peak)
            run("fstrim", place)
    report.say(f"\n### {title}\n\n| way | seconds | modelyard takes | peak memory |\n|---|---|---|---|")
    for name, taken in results.items():
        share = median(ours / theirs for ours, theirs in zip(results[names[0]], taken, strict=True))
        report.say(f"| {name} | {median(taken):.2f} | {share:.2f} of it | {memory[name] / 1e6:.0f} MB |")
        if name != names[0]:
            report.goal(f"{title}: modelyard / {name}", share, 1.0)
    report.goal(f"{title}: peak MB", memory[names[0]] / 1e6, 100)


def whole(folder: Path, digests: dict[str, str]) -> int:
    """How many files are there with their content."""
    return sum(
        (folder / name).is_file() and hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        for name, digest in digests.items()
    )


def power(report: Report, base: Path) -> None:
    """What is left of eight files when the target loses its power right after the command said that all is well."""
    ways = {
        "mv": "mv {0} {1}",
        "cp -a; rm -r": "cp -a {0} {1} && rm -r {0}",
        "shutil.move": "python3 -c 'import shutil, sys; shutil.move(*sys.argv[1:])' {0} {1}",
        "rsync -aH --remove-source-files": "rsync -aH --remove-source-files {0}/ {1}",
        "rsync -aH --fsync --remove-source-files": "rsync -aH --fsync --remove-source-files {0}/ {1}",
        "modelyard move": shlex.join(MODELYARD) + " --home {2} move hf-datasets {1} --yes",
    }
    report.say(f"\n### {FILES} files of {SIZE // MIB} MiB, power lost right after success: files left anywhere\n")
    report.say("| way | ext4 | xfs |\n|---|---|---|")
    for name, command in ways.items():
        left = [str(_left(base, kind, command)) for kind in ("ext4", "xfs")]
        report.say(f"| {name} | {' | '.join(left)} |")


def _left(base: Path, kind: str, command: str) -> int:
    home = base / "home"
    shutil.rmtree(home, ignore_errors=True)
    source = home / STORE
    source.mkdir(parents=True)
    digests = {}
    for number in range(FILES):
        content = os.urandom(SIZE)
        (source / f"file-{number}").write_bytes(content)
        digests[f"file-{number}"] = hashlib.sha256(content).hexdigest()
    with disk(kind, base, 600 * MIB) as place:
        target = place / "datasets"
        words = (shlex.quote(str(each)) for each in (source, target, home))
        run("sh", "-c", command.format(*words))
        descriptor = os.open(place, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(descriptor)
        device = run("findmnt", "-no", "SOURCE", place).strip()
        run("umount", place)
        run("mount", device, place)
        return max(whole(target, digests), whole(source, digests) if not source.is_symlink() else 0)


def part(report: Report, base: Path, rounds: int) -> None:
    """All of it. MODELYARD_MOVED and MODELYARD_MOVED_GB: how many small files, and how much in large ones."""
    files = int(os.environ.get("MODELYARD_MOVED", "20000"))
    gigabytes = float(os.environ.get("MODELYARD_MOVED_GB", "8"))
    home = base / "moved"
    for title in (f"{files:,} files", f"8 files, {gigabytes:g} GB together"):
        if title.endswith(" files"):
            many(home / STORE, files)
        else:
            few(home / STORE, int(gigabytes * 1e9))
        taken = int(run("du", "-s", "--block-size=1", home).split()[0])
        with disk("ext4", base, int(taken * 1.5) + 300 * MIB) as place:
            contest(report, home, place, rounds, title)
        shutil.rmtree(home)
    power(report, base)

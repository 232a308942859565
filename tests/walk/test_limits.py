"""Sizes at which walkers break: wide, deep, long, many, few descriptors, little memory, and the wish to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from walk.conftest import Look
from walk.disks import mounted
from walk.truth import assert_true, freed, look, paths_below, row_of

FOLDERS, FILES = 400, 500
TREE = """
import json, os, resource, signal, sys, threading, time
from modelyard.walk.tree import walk
"""


def start(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Starts a Python of its own, in which limits and signals hurt nobody else."""
    return subprocess.Popen([sys.executable, "-c", TREE + script, *arguments], stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, int]:
    """What the script printed."""
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    said = json.loads(out)
    assert isinstance(said, dict)
    return said


def deep(base: Path, levels: int, name: str, aside: int = 0) -> None:
    """Folders one in the other, each with so many empty folders aside, and a file in the innermost."""
    at = os.open(base, os.O_RDONLY)
    for _ in range(levels):
        for number in range(aside):
            os.mkdir(f"aside{number}", dir_fd=at)
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def wide(base: Path, folders: int, files: int) -> None:
    """Folders side by side, each with empty files."""
    for number in range(folders):
        (base / f"d{number}").mkdir()
        for inner in range(files):
            os.close(os.open(base / f"d{number}" / f"f{inner}", os.O_CREAT | os.O_WRONLY))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree that takes longer to walk than progress takes to be told."""
    target = tmp_path_factory.mktemp("walk") / "crowd"
    with mounted("tmpfs", target, "-t", "tmpfs", "-o", "size=64m,nr_inodes=0") as folder:
        wide(folder, FOLDERS, FILES)
        (folder / "big").write_bytes(b"x" * (1 << 20))
        yield folder


def test_hundred_thousand_entries_in_one_folder(walked: Look, memory: Path) -> None:
    source = memory / "file"
    source.write_bytes(b"x" * 4096)
    for number in range(90_000):
        os.link(source, memory / f"a-name-of-some-length-{number}")
    for number in range(10_000):
        (memory / f"empty-{number}").touch()
    tree = walked(memory)
    totals = tree.totals()
    assert totals[:3] == (4096, 4096 + (tree.entry(row_of(tree, memory)) or [0] * 3)[2], 100_002)
    names = tree.children(row_of(tree, memory))
    assert names.keys() == {os.fsencode(name) for name in os.listdir(memory)}


def test_five_thousand_levels_of_nesting(walked: Look, place: Path) -> None:
    deep(place, 5000, "d")
    tree = walked(place)
    assert not tree.problems()
    assert tree.totals().entries == 5002
    row = row_of(tree, bytes(place) + b"/d" * 5000 + b"/f")
    assert tree.path(row).count(b"/d") == 5000
    assert tree.measure([row_of(tree, place)]).sizes.entries == 5002


def test_paths_beyond_path_max(walked: Look, place: Path) -> None:
    name = "n" * 250
    deep(place, 60, name)
    tree = walked(place)
    assert not tree.problems()
    row = row_of(tree, bytes(place) + (b"/" + name.encode()) * 60 + b"/f")
    assert len(tree.path(row)) > 3 * 4096
    assert tree.totals().entries == 62
    sizes = tree.measure([row_of(tree, place)]).sizes
    assert sizes.freed == sizes.allocated


@pytest.mark.parametrize("threads", [1, 4, 8, 64])
@pytest.mark.parametrize("portable", [False, True])
def test_more_folders_than_descriptors(place: Path, threads: int, portable: bool) -> None:
    """Wide and deep at once, with hardly a descriptor to spare."""
    (place / "wide").mkdir()
    wide(place / "wide", 400, 2)
    (place / "deep").mkdir()
    deep(place / "deep", 300, "a-folder-with-a-long-name" * 8, aside=3)
    said = answer(
        start(
            """
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
before = sorted(os.listdir("/proc/self/fd"))
tree = walk([sys.argv[1]], threads=int(sys.argv[2]), portable=sys.argv[3] == "True")
left = sorted(os.listdir("/proc/self/fd")) == before
print(json.dumps({"entries": tree.totals().entries, "problems": len(tree.problems()), "left": left}))
""",
            place,
            str(threads),
            str(portable),
        )
    )
    assert said == {"entries": 1 + 2 + 400 * 3 + 300 * 4 + 1, "problems": 0, "left": True}


def test_no_descriptor_stays_open(walked: Look, home: Path) -> None:
    wide(home, 50, 3)
    before = sorted(os.listdir("/proc/self/fd"))
    freed(walked(home, home / "d1", home / "missing"), home)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_memory_stays_under_120_bytes_an_entry(memory: Path) -> None:
    """Three hundred thousand files with names as long as those in model caches; without the interpreter itself."""
    for folder in range(30):
        (memory / f"snapshots-{folder}").mkdir()
        at = os.open(memory / f"snapshots-{folder}", os.O_RDONLY)
        for number in range(10_000):
            os.close(os.open(f"model-{number:05d}-of-10000.safetensors", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.close(at)
    said = answer(
        start(
            """
def peak():  # ru_maxrss begins with the size of whoever started this process
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
walk([sys.argv[1] + "/snapshots-0"], threads=2)
before = peak()
tree = walk([sys.argv[1]], threads=2)
print(json.dumps({"entries": len(tree), "bytes": peak() - before}))
""",
            memory,
        )
    )
    assert said["entries"] == 300_031
    assert 40 < said["bytes"] / said["entries"] < 120


@pytest.mark.parametrize("threads", [1, 4])
def test_ctrl_c_stops_within_a_fifth_of_a_second_and_is_partial(crowd: Path, threads: int) -> None:
    """Pressed a moment after the first sign of progress; a walk that was quicker is tried again."""
    said = answer(
        start(
            """
pressed = []
def press():
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
def progress(*seen):
    if not pressed:
        threading.Timer(0.01, press).start()
for attempt in range(50):
    pressed.clear()
    try:
        tree = walk([sys.argv[1]], threads=int(sys.argv[2]), progress=progress)
        stopped = time.monotonic()
        if tree.partial:
            break
        time.sleep(0.1)
    except KeyboardInterrupt:
        pass
row = tree.find(sys.argv[1])
print(json.dumps({
    "late": stopped - pressed[0], "partial": tree.partial, "whole": tree.is_whole(row),
    "exact": tree.measure([row]).sizes.exact, "entries": tree.totals().entries,
    "lying": sum(
        tree.is_folder(each) and tree.is_whole(each) and tree.totals(each).entries < int(sys.argv[3])
        for each in tree.children(row).values()
    ),
}))
""",
            crowd,
            str(threads),
            str(FILES),
        )
    )
    assert said["partial"]
    assert said["lying"] == 0, "a folder that was not read to its end says so"
    assert said["late"] < 0.2
    assert not said["exact"]
    assert not said["whole"]
    assert 0 < said["entries"] < FOLDERS * (FILES + 1) + 1


def test_progress_tells_entries_bytes_and_folder(walked: Look, crowd: Path) -> None:
    seen: list[tuple[int, int, bytes]] = []
    tree = walked(crowd)
    for _ in range(20):
        tree = walked(crowd, progress=lambda *told: seen.append(told))
        if len(seen) > 3:
            break
    assert seen, "a walk of more than a twentieth of a second tells of it"
    for entries, size, folder in seen:
        assert 0 <= entries <= len(tree)  # a busy machine may not have begun yet
        assert 0 <= size <= tree.totals().allocated
        assert folder == b"" or tree.find(folder) is not None
    assert any(entries for entries, *_ in seen)
    assert any(os.path.dirname(folder) == bytes(crowd) for *_, folder in seen)


def test_an_error_in_progress_ends_the_walk_and_is_raised(walked: Look, crowd: Path) -> None:
    def fail(*told: object) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        for _ in range(20):
            walked(crowd, progress=fail)


def test_a_walk_from_another_thread_cannot_be_lost(home: Path) -> None:
    """Many walks at once in one process do not disturb each other."""
    wide(home, 30, 30)
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(lambda _: look(home, threads=3), range(24)))
    assert {len(tree) for tree in trees} == {30 * 31 + 1}
    assert_true(trees[-1], home)
    assert len({frozenset(paths_below(tree, home)) for tree in trees}) == 1

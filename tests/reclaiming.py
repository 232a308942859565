"""Reclaiming from a home that real tools filled: what is there before and after, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import oracle
from typed import Run

OLD = 1_700_000_000
HOLD = "import sys; f = open(sys.argv[1], 'a'); print(1, flush=True); sys.stdin.read()"
FLOCK = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, {}); print(1, flush=True); sys.stdin.read()"


class Thing(NamedTuple):
    """What a name is: for a file its content, times and inode too, for a link its text."""

    kind: str
    content: str
    mode: int = 0
    written: int = 0
    inode: int = 0


def _thing(path: Path) -> Thing:
    seen = path.lstat()
    if stat.S_ISLNK(seen.st_mode):
        return Thing("link", os.readlink(path))
    if stat.S_ISDIR(seen.st_mode):
        return Thing("folder", "", seen.st_mode)
    return Thing("file", hashlib.sha256(path.read_bytes()).hexdigest(), seen.st_mode, seen.st_mtime_ns, seen.st_ino)


def everything(home: Path) -> Mapping[Path, Thing]:
    """Every name in a home but for modelyard's own and the folders above those."""
    own = (home / ".local/share/modelyard", home / ".local/state")
    above = {parent for place in own for parent in place.parents}
    return {
        path: _thing(path)
        for path in oracle.below(home)
        if path not in above and not any(path.is_relative_to(each) for each in own)
    }


def age(home: Path) -> None:
    """Everything was written long ago, and no folder was entered since."""
    for path in list(oracle.below(home)):
        os.utime(path, (OLD, OLD), follow_symlinks=False)


def clean(run: Run, *words: str, include: tuple[str, ...] = ()) -> None:
    """Cleans, and all of it worked."""
    named = [word for each in include for word in ("--include", each)]
    answer = run("clean", *words, *named, "--yes", "--json")
    assert answer.out, answer.err
    done = json.loads(answer.out)["receipt"]
    assert done["done"] > 0
    assert (done["skipped"], done["failed"]) == ([], [])


def undo(run: Run) -> None:
    """Takes back the last one, and all of it worked."""
    answer = run("undo")
    assert answer.code == 0, answer.out


def left_out(run: Run, *words: str) -> dict[str, str]:
    """What a plan leaves out wholly, and why."""
    plan = json.loads(run("clean", *words, "--dry-run", "--json").out)["plan"]
    taken = {each["artifact"] for each in plan["steps"]}
    return {each["artifact"]: each["why"] for each in plan["skipped"] if each["artifact"] not in taken}


def chosen(run: Run, *words: str) -> set[str]:
    """The artifacts that a plan takes away."""
    plan = json.loads(run("clean", *words, "--dry-run", "--json").out)["plan"]
    return {each["artifact"] for each in plan["steps"]}


@contextmanager
def holding(path: Path, code: str = HOLD) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has a file open."""
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        try:
            yield process
        finally:
            process.kill()


def locking(path: Path, *, shared: bool = False) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A process that holds a lock on a file, as `flock` takes it."""
    return holding(path, FLOCK.format("fcntl.LOCK_SH" if shared else "fcntl.LOCK_EX"))

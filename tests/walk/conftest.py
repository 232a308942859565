"""The walk over every back end, and places of their own for tests that mount or drop privileges."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from modelyard.walk.tree import Tree
from walk.disks import loop_disk, mounted, remove
from walk.truth import look

Look = Callable[..., Tree]
BACK_ENDS = {
    "linux-1": (False, 1),
    "linux-4": (False, 4),
    "portable-1": (True, 1),
    "portable-4": (True, 4),
}


@pytest.fixture(params=BACK_ENDS)
def walked(request: pytest.FixtureRequest) -> Look:
    """The walk by each back end, alone and with four threads."""
    portable, threads = BACK_ENDS[request.param]
    return partial(look, portable=portable, threads=threads)


@pytest.fixture
def mounts() -> Iterator[ExitStack]:
    """Whatever is mounted through it is unmounted in the reverse order."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def memory(home: Path, mounts: ExitStack) -> Path:
    """A fresh file system in memory, gone at once with all it holds."""
    return mounts.enter_context(mounted("tmpfs", home / "memory", "-t", "tmpfs", "-o", "size=400m,nr_inodes=0"))


@pytest.fixture
def place(home: Path) -> Iterator[Path]:
    """A folder that every user can reach, and that may be nested deeper than Python can remove."""
    made = Path(tempfile.mkdtemp(prefix="walk-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    remove(made)


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def disk(request: pytest.FixtureRequest, home: Path, mounts: ExitStack) -> Path:
    """A fresh disk with each of the common file systems."""
    return mounts.enter_context(loop_disk(request.param, home))


@pytest.fixture(params=["xfs", "btrfs"])
def sharing_disk(request: pytest.FixtureRequest, home: Path, mounts: ExitStack) -> Path:
    """A fresh disk whose files can share extents."""
    return mounts.enter_context(loop_disk(request.param, home))


@pytest.fixture
def overlay(home: Path, mounts: ExitStack) -> Callable[[Path], Path]:
    """Mounts an overlay over the `lower` and `upper` folders of a place."""

    def mount(base: Path) -> Path:
        for name in ("lower", "upper", "work"):
            (base / name).mkdir(exist_ok=True)
        options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        return mounts.enter_context(mounted("overlay", home / "overlay", "-t", "overlay", "-o", options))

    return mount


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """Becomes a user who may read little; root again afterwards."""
    yield lambda: os.seteuid(65534)
    os.seteuid(0)

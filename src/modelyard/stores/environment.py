"""What a Python environment consists of: its packages by size, its CUDA stack, and whether its Python is there."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from itertools import islice

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.units import size
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

Facts = tuple[tuple[str, str], ...]
MOST, SAMPLE = 5, 3
METADATA = (b".dist-info", b".egg-info")
BESIDE = (b".libs", b".data")
PURE = (b".pth", b".egg-link", b"__pycache__")
EDITABLE = re.compile(rb"__editable__\.([A-Za-z0-9_.]+?)-\d[^/]*\.pth$")
CUDA_PACKAGES = (b"cuda", b"tensorrt", b"tensorrt_libs", b"triton")
CUDA_LIBRARIES = tuple(
    f"lib{name}".encode()
    for name in (
        "cublas", "cuda", "cudnn", "cufft", "cufile", "cupti", "curand", "cusolver", "cusparse", "nccl", "npp",
        "nvblas", "nvinfer", "nvJitLink", "nvjitlink", "nvjpeg", "nvrtc", "nvshmem", "nvToolsExt", "nvvm",
    )
)  # fmt: skip
ABSENT = (errno.ENOENT, errno.ENOTDIR)


class Packages(Struct, frozen=True):
    """What lies in an environment's package folders; allocated bytes by the name that is imported."""

    count: int
    """Installed distributions, by the metadata that installers leave."""
    sizes: Mapping[bytes, int]
    cuda: Mapping[bytes, int]
    editable: tuple[str, ...]
    """Distributions whose code lies in a source tree outside."""
    linked: bytes
    """Where the first distribution's metadata points, when it is a link instead of a file."""

    def facts(self) -> Facts:
        """For a person: how many, the biggest, the CUDA stack, and what lies elsewhere."""
        return tuple(
            (label, text)
            for label, text in (
                ("Packages", f"{self.count:,}" if self.count else ""),
                ("Biggest packages", _largest(self.sizes)),
                ("CUDA stack", f"{size(sum(self.cuda.values()))}: {_largest(self.cuda)}" if self.cuda else ""),
                ("Editable", ", ".join(self.editable[:MOST]) + (" and more" if len(self.editable) > MOST else "")),
                ("Linked", f"its files are links, as to {shown(self.linked)}" if self.linked else ""),
            )
            if text
        )


def _largest(sizes: Mapping[bytes, int]) -> str:
    found = nsmallest(MOST, ((-taken, name) for name, taken in sizes.items() if taken))
    return ", ".join(f"{shown(name)} {size(-taken)}" for taken, name in found)


def package_folders(tree: Tree, prefix: int) -> list[int]:
    """The site-packages of an environment on every platform."""
    found = []
    for library in (tree.child(prefix, b"lib"), tree.child(prefix, b"lib64")):
        for name, row in sorted(tree.children(library).items()) if library is not None else ():
            if name.startswith((b"python", b"pypy")):
                found.append(tree.child(row, b"site-packages"))
    found.append(tree.child(prefix, b"Lib", b"site-packages"))
    return [row for row in found if row is not None]


def packages(tree: Tree, prefix: int) -> Packages:
    """One lookup a name in site-packages, one level deeper for what NVIDIA packs apart; no file is read."""
    sizes: dict[bytes, int] = {}
    editable: list[str] = []
    metadata: list[int] = []
    cuda: dict[bytes, int] = {}
    for folder in package_folders(tree, prefix):
        names = tree.children(folder)
        for name, row in names.items():
            if name.endswith(METADATA):
                metadata.append(row)
            elif name.endswith(PURE):
                editable += [shown(found[1])] if (found := EDITABLE.match(name)) else []
            else:
                _add(tree, sizes, name, row)
        _libraries(tree, cuda, tree.child(folder, b"torch", b"lib"))
    for folder in _library_folders(tree, prefix):
        _libraries(tree, cuda, folder)
    cuda |= {name: taken for name, taken in sizes.items() if name.startswith(b"nvidia") or name in CUDA_PACKAGES}
    return Packages(len(metadata), sizes, cuda, tuple(sorted(editable)), _linked(tree, metadata))


def _add(tree: Tree, sizes: dict[bytes, int], name: bytes, row: int) -> None:
    """Counts one name; libraries that wheels keep beside a package belong to it."""
    if name == b"nvidia":
        for inner, each in tree.children(row).items():
            taken = b"nvidia/" + inner
            sizes[taken] = sizes.get(taken, 0) + allocated(tree, each)
        return
    key = name
    if b"." in name and (name.endswith(BESIDE) or not tree.is_folder(row)):
        key = name.partition(b".")[0] or name
    sizes[key] = sizes.get(key, 0) + allocated(tree, row)


def allocated(tree: Tree, row: int) -> int:
    """Blocks of a folder with all it holds, or of a file."""
    if tree.is_folder(row):
        return tree.totals(row).allocated
    seen = tree.entry(row)
    return seen.allocated if seen else 0


def _library_folders(tree: Tree, prefix: int) -> Iterator[int]:
    """Where conda packages keep shared libraries."""
    if library := tree.child(prefix, b"lib"):
        yield library
    if library := tree.child(prefix, b"Library", b"bin"):
        yield library
    targets = tree.child(prefix, b"targets")
    for row in tree.children(targets).values() if targets is not None else ():
        if library := tree.child(row, b"lib"):
            yield library


def _libraries(tree: Tree, cuda: dict[bytes, int], folder: int | None) -> None:
    """CUDA's shared libraries in one folder, by name without version."""
    for name, row in tree.children(folder).items() if folder is not None else ():
        if name.startswith(CUDA_LIBRARIES) and not tree.is_folder(row) and not tree.is_link(row):
            key = name[3:].partition(b".")[0].partition(b"-")[0]
            cuda[key] = cuda.get(key, 0) + allocated(tree, row)


def _linked(tree: Tree, metadata: Iterable[int]) -> bytes:
    for row in islice(metadata, SAMPLE):
        note = tree.child(row, b"METADATA")
        if note is not None:
            target = tree.link_target(note) if tree.is_link(note) else b""
            return b"" if isinstance(target, Problem) else target
    return b""


def linked_to(tree: Tree, prefix: int) -> bytes:
    """Where an installation by symbolic links points, by its first package; cleaning that place breaks it."""
    names = (item for folder in package_folders(tree, prefix) for item in tree.children(folder).items())
    return _linked(tree, (row for name, row in names if name.endswith(METADATA)))


def absence(path: bytes, *, folder: bool = False) -> str | None:
    """Empty when something is there, a sentence when nothing is, None when that cannot be told. Follows links."""
    try:
        seen = os.stat(path)
    except ValueError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return f"{shown(path)} is a loop of links"
        return f"{shown(os.path.realpath(path))} is not there" if error.errno in ABSENT else None
    return "" if stat.S_ISDIR(seen.st_mode) == folder else f"{shown(path)} is something else"

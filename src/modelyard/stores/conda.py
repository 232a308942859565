"""conda: environments, and the packages folder whose files they share by hard links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.inventory import Artifact, LastUsed, Reading, Root, Store
from modelyard.stores.conda_settings import roots as roots
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "conda",
    "conda",
    ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS", ".condarc envs_dirs", ".condarc pkgs_dirs"),
    ("conda-meta", "urls.txt"),
    kinds=("environment", "package cache"),
    recoveries=("re-get", "re-solve"),
    evidence="when an environment's packages changed, and reading or writing of its files",
)
ARCHIVE = re.compile(rb"(.+)\.(?:conda|tar\.bz2)$")
LEFTOVER = re.compile(rb"\.(?:conda|tar\.bz2)\.partial$|\.c~$|\.trash$|^\.trash$|\.mamba_trash$")


def recognise(tree: Tree, row: int) -> int | None:
    """A prefix by its history, the folder or installation that holds it; a packages folder by conda's own mark."""
    folder = tree.parent(row)
    if folder is None:
        return None
    if tree.name(row) == b"urls.txt":
        return _installation(tree, folder) if _is_packages(tree, folder) else None
    if tree.child(row, b"history") is None:
        return None
    holder = tree.parent(folder)
    return folder if holder is None or tree.name(holder) != b"envs" else _installation(tree, holder)


def _installation(tree: Tree, folder: int) -> int:
    """The installation that an `envs` or `pkgs` folder belongs to, or that folder alone."""
    holder = tree.parent(folder) if tree.name(folder) in (b"envs", b"pkgs") else None
    return holder if holder is not None and tree.child(holder, b"conda-meta", b"history") is not None else folder


def _is_packages(tree: Tree, folder: int) -> bool:
    return any(tree.child(row, b"info") is not None for row in tree.children(folder).values())


def read(root: Root, tree: Tree) -> Reading:
    """Environments in and at the root, and the packages, each with its archive."""
    assert root.row is not None
    artifacts: list[Artifact] = []
    if tree.child(root.row, b"conda-meta", b"history") is not None:
        artifacts.append(_prefix(tree, root, root.row))
    names = tree.children(root.row)
    envs = names.get(b"envs", root.row if not artifacts else None)
    for _, row in sorted(tree.children(envs).items() if envs is not None else ()):
        if tree.child(row, b"conda-meta", b"history") is not None:
            artifacts.append(_prefix(tree, root, row))
    packages = names.get(b"pkgs", None if artifacts else root.row)
    if packages is not None and (b"urls.txt" in tree.children(packages) or _is_packages(tree, packages)):
        artifacts += _packages(tree, root, packages)
    return Reading(tuple(artifacts))


def _prefix(tree: Tree, root: Root, row: int) -> Artifact:
    """The root prefix of an installation, without the environments and packages inside; or a plain environment."""
    names = tree.children(row)
    if b"condabin" not in names and not (b"envs" in names and b"pkgs" in names):
        return _environment(tree, root, row, "env")
    return _environment(
        tree, root, row, "base", tuple(child for name, child in sorted(names.items()) if name not in (b"envs", b"pkgs"))
    )


def _environment(tree: Tree, root: Root, row: int, word: str, rows: tuple[int, ...] = ()) -> Artifact:
    meta = tree.child(row, b"conda-meta")
    history = tree.child(meta, b"history")
    assert meta is not None and history is not None
    seen = tree.entry(history)
    names = tree.children(meta)
    name = shown(tree.name(row)).rstrip("/").rpartition("/")[2]
    managed = ", managed by pixi" if b"pixi" in names else ""
    frozen = ", protected" if b"frozen" in names else ""
    count = sum(entry.endswith(b".json") for entry in names)
    return Artifact(
        f"conda:{word}/{name}",
        "environment",
        "conda",
        name if word == "env" else f"{name} (base)",
        root.path,
        rows or (row,),
        recovery="re-solve",
        detail=f"{count} package{'' if count == 1 else 's'}{managed}{frozen}",
        last_used=LastUsed(seen.mtime, "packages last changed", "low") if seen else None,
    )


def _packages(tree: Tree, root: Root, folder: int) -> Iterator[Artifact]:
    names = tree.children(folder)
    groups: dict[bytes, list[int]] = {}
    leftovers = []
    for name, row in sorted(names.items()):
        if LEFTOVER.search(name):
            leftovers.append(row)
        elif found := ARCHIVE.match(name):
            groups.setdefault(found[1], []).append(row)
        elif tree.child(row, b"info") is not None:
            groups.setdefault(name, []).append(row)
            lock = names.get(name + b".lock")
            groups[name] += [] if lock is None else [lock]
    for name, rows in groups.items():
        title, version, _ = [*shown(name).rsplit("-", 2), "", ""][:3]
        yield Artifact(
            f"conda:pkg/{shown(name)}",
            "package cache",
            "conda",
            f"{title} {version}",
            root.path,
            tuple(rows),
            revision=version,
            recovery="re-get",
        )
    index = names.get(b"cache")
    if index is not None:
        yield Artifact("conda:index", "package cache", "conda", "channel index", root.path, (index,), recovery="re-get")
    if leftovers:
        yield Artifact(
            "conda:pkg/#partial",
            "package cache",
            "conda",
            "unfinished downloads and trash",
            root.path,
            tuple(leftovers),
            state="partial",
            recovery="re-get",
        )

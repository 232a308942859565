"""conda: environments, and the packages folder whose files they share by hard links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, LastUsed, Platform, Reading, Root, Store
from modelyard.stores.places import expand
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "conda",
    "conda",
    ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS", ".condarc envs_dirs", ".condarc pkgs_dirs"),
    ("conda-meta", "urls.txt"),
)
INSTALLS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".local/share/mamba")
SYSTEM = {
    "linux": ("/opt/conda", "/opt/miniconda3", "/opt/anaconda3", "/opt/miniforge3"),
    "macos": ("/opt/conda", "/opt/miniconda3", "/opt/anaconda3", "/opt/homebrew/Caskroom/miniconda/base", "/opt/homebrew/Caskroom/miniforge/base"),
    "windows": ("C:/ProgramData/miniconda3", "C:/ProgramData/anaconda3", "C:/ProgramData/miniforge3"),
}  # fmt: skip
ARCHIVE = re.compile(rb"(.+)\.(?:conda|tar\.bz2)$")
LEFTOVER = re.compile(rb"\.(?:conda|tar\.bz2)\.partial$|\.c~$|\.trash$|^\.trash$|\.mamba_trash$")
LISTS = re.compile(r"^(envs_dirs|envs_path|pkgs_dirs)\s*:\s*(\[.*\])?\s*$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Installations, folders of environments and of packages by variable and settings, and prefixes conda noted."""
    separator = ";" if platform == "windows" else ":"
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS"):
        for part in filter(None, (part.strip() for part in re.split(f"[{separator},]", env.get(variable, "")))):
            yield Root(expand(part, env, home), variable)
    config = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    for path in (f"{home}/.condarc", f"{home}/.conda/.condarc", f"{config}/conda/.condarc", env.get("CONDARC", "")):
        for key, part in _lists(read_setting(path) or "" if path else ""):
            yield Root(expand(part, env, home), f"{path} {key}")
    if env.get("MAMBA_ROOT_PREFIX"):
        yield Root(expand(env["MAMBA_ROOT_PREFIX"], env, home), "MAMBA_ROOT_PREFIX")
    for name in INSTALLS:
        yield Root(str(home / name), "default")
    yield Root(str(home / ".conda"), "default")
    for path in SYSTEM[platform]:
        yield Root(path, "default", system=True)
    for line in (read_setting(f"{home}/.conda/environments.txt") or "").splitlines():
        if line.strip():
            yield Root(line.strip(), "~/.conda/environments.txt")


def _lists(text: str) -> Iterator[tuple[str, str]]:
    """The folders in a .condarc: YAML of which only these three lists matter, in block or flow style."""
    key = ""
    for line in text.splitlines():
        line = line.split(" #")[0].rstrip()
        if found := LISTS.match(line):
            key = found[1]
            for part in (found[2] or "[]")[1:-1].split(","):
                if part.strip():
                    yield key, part
        elif key and line.lstrip().startswith("- "):
            yield key, line.lstrip()[2:]
        elif line and not line.startswith((" ", "#", "-")):
            key = ""


def recognise(tree: Tree, row: int) -> int | None:
    """A prefix by its history, the folder or installation that holds it; a packages folder by conda's own mark."""
    folder = tree.parent(row)
    if folder is None:
        return None
    if tree.name(row) == b"urls.txt":
        return _installation(tree, folder) if tree.name(folder) == b"pkgs" else folder if _is_packages(tree, folder) else None
    if tree.child(row, b"history") is None:
        return None
    holder = tree.parent(folder)
    return folder if holder is None or tree.name(holder) != b"envs" else _installation(tree, holder)


def _installation(tree: Tree, folder: int) -> int:
    """The installation that an `envs` or `pkgs` folder belongs to, or that folder alone."""
    holder = tree.parent(folder)
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
            artifacts.append(_environment(tree, root, row, "env"))
    packages = names.get(b"pkgs", root.row if b"urls.txt" in names else None)
    if packages is not None and (b"urls.txt" in tree.children(packages) or _is_packages(tree, packages)):
        artifacts += _packages(tree, root, packages)
    return Reading(tuple(artifacts))


def _prefix(tree: Tree, root: Root, row: int) -> Artifact:
    """The root prefix of an installation, without the environments and packages inside; or a plain environment."""
    names = tree.children(row)
    if b"condabin" not in names and not (b"envs" in names and b"pkgs" in names):
        return _environment(tree, root, row, "env")
    return _environment(tree, root, row, "base", tuple(child for name, child in sorted(names.items()) if name not in (b"envs", b"pkgs")))


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
        f"conda:{word}/{name}", "environment", "conda", name if word == "env" else f"{name} (base)", root.path,
        rows or (row,), recovery="re-solve", detail=f"{count} packages{managed}{frozen}",
        last_used=LastUsed(seen.mtime, "packages last changed", "low") if seen else None,
    )  # fmt: skip


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
            f"conda:pkg/{shown(name)}", "package cache", "conda", f"{title} {version}", root.path, tuple(rows),
            revision=version, recovery="re-get",
        )  # fmt: skip
    index = names.get(b"cache")
    if index is not None:
        yield Artifact("conda:index", "package cache", "conda", "channel index", root.path, (index,), recovery="re-get")
    if leftovers:
        yield Artifact("conda:pkg/#partial", "package cache", "conda", "unfinished downloads and trash", root.path, tuple(leftovers), state="partial", recovery="re-get")

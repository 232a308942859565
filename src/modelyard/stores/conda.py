"""conda, mamba and pixi: environments, and the packages folder whose files they share by hard links."""

from __future__ import annotations

from modelyard.inventory import Artifact, LastUsed, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.conda_packages import is_packages, packages_in
from modelyard.stores.conda_prefix import describe
from modelyard.stores.conda_settings import roots as roots
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "conda",
    "conda",
    (
        "CONDA_ENVS_DIRS",
        "CONDA_ENVS_PATH",
        "CONDA_PKGS_DIRS",
        ".condarc envs_dirs",
        ".condarc pkgs_dirs",
        "MAMBA_ROOT_PREFIX",
        "PIXI_HOME",
        "pixi's config.toml detached-environments",
    ),
    ("conda-meta", "urls.txt"),
    kinds=("environment", "package cache"),
    recoveries=("re-get", "re-solve"),
    evidence="when an environment's packages changed, and reading or writing of its files",
)
Found = tuple[Artifact, tuple[Problem, ...]]


def recognise(tree: Tree, row: int) -> int | None:
    """A prefix by its history, the folder or installation that holds it; a packages folder by conda's own mark."""
    folder = tree.parent(row)
    if folder is None:
        return None
    if tree.name(row) == b"urls.txt":
        return _installation(tree, folder) if is_packages(tree, folder) else None
    if tree.child(row, b"history") is None:
        return None
    holder = tree.parent(folder)
    return folder if holder is None or tree.name(holder) != b"envs" else _installation(tree, holder)


def _installation(tree: Tree, folder: int) -> int:
    """The installation that an `envs` or `pkgs` folder belongs to, or that folder alone."""
    holder = tree.parent(folder) if tree.name(folder) in (b"envs", b"pkgs") else None
    return holder if holder is not None and tree.child(holder, b"conda-meta", b"history") is not None else folder


def read(root: Root, tree: Tree) -> Reading:
    """Environments in and at the root, and the packages, each with its archive."""
    assert root.row is not None
    prefixes: list[Found] = []
    if tree.child(root.row, b"conda-meta", b"history") is not None:
        prefixes.append(_prefix(tree, root, root.row))
    names = tree.children(root.row)
    envs = names.get(b"envs", root.row if not prefixes else None)
    for _, row in sorted(tree.children(envs).items() if envs is not None else ()):
        if tree.child(row, b"conda-meta", b"history") is not None:
            prefixes.append(_prefix(tree, root, row))
    packages = names.get(b"pkgs", None if prefixes else root.row)
    if packages is not None and b"urls.txt" not in tree.children(packages) and not is_packages(tree, packages):
        packages = None
    problems = tuple(problem for _, each in prefixes for problem in each)
    cached = () if packages is None else packages_in(tree, root, packages)
    return Reading((*(made for made, _ in prefixes), *cached), problems)


def _prefix(tree: Tree, root: Root, row: int) -> Found:
    """The root prefix of an installation, without the environments and packages inside; or a plain environment."""
    names = tree.children(row)
    if b"condabin" not in names and not (b"envs" in names and b"pkgs" in names):
        return _environment(tree, root, row, "env")
    return _environment(
        tree, root, row, "base", tuple(child for name, child in sorted(names.items()) if name not in (b"envs", b"pkgs"))
    )


def _environment(tree: Tree, root: Root, row: int, word: str, rows: tuple[int, ...] = ()) -> Found:
    meta = tree.child(row, b"conda-meta")
    history = tree.child(meta, b"history")
    assert meta is not None and history is not None
    seen = tree.entry(history)
    about = describe(tree, row, meta)
    name = shown(tree.name(row)).rstrip("/").rpartition("/")[2]
    project = shown(about.project.path).rpartition("/")[2] if about.project else ""
    made = Artifact(
        f"conda:{word}/{name}",
        "environment",
        "conda",
        f"{name} (base)" if word == "base" else f"{name} of {project}" if project else name,
        root.path,
        rows or (row,),
        state=about.state,
        recovery="re-solve",
        detail=about.detail,
        last_used=LastUsed(seen.mtime, "packages last changed", "low") if seen else None,
        facts=about.facts,
    )
    return made, about.problems

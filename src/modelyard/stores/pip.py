"""pip's cache: downloads by the hash of their address, and wheels that were built here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.stores.settings import ini_settings
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "pip",
    "pip cache",
    ("PIP_CACHE_DIR", "pip.conf [global] cache-dir", "XDG_CACHE_HOME"),
    ("selfcheck",),
    kinds=("package cache",),
    recoveries=("re-get", "re-make"),
)


def _settings(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[str]:
    """pip's configuration files, highest precedence first."""
    if env.get("PIP_CONFIG_FILE"):
        yield expand(env["PIP_CONFIG_FILE"], env, home)
    if env.get("VIRTUAL_ENV"):
        yield f"{env['VIRTUAL_ENV']}/pip.{'ini' if platform == 'windows' else 'conf'}"
    if platform == "windows":
        yield f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/pip/pip.ini"
        yield f"{home}/pip/pip.ini"
        return
    if platform == "macos":
        yield f"{home}/Library/Application Support/pip/pip.conf"
    yield f"{expand(env.get('XDG_CONFIG_HOME') or '~/.config', env, home)}/pip/pip.conf"
    yield f"{home}/.pip/pip.conf"


def _configured(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Place]:
    """The folder that the strongest configuration file names, and files that could not be understood."""
    for path in _settings(env, home, platform):
        settings = ini_settings(path)
        if isinstance(settings, Problem):
            yield settings
        elif moved := settings.get("global", "cache-dir", fallback=""):
            yield Root(expand(moved, env, home), path)
            return


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The variable, a configuration file, else the user's cache folder."""
    cache, found_by = user_cache(env, home, platform)
    default = cache / "pip" / "Cache" if platform == "windows" else cache / "pip"
    named = from_variables(("PIP_CACHE_DIR",), env, home)
    places: list[Place] = [named] if named else list(_configured(env, home, platform))
    yield from places
    if not any(isinstance(place, Root) for place in places):
        yield Root(str(default), found_by)


def recognise(tree: Tree, row: int) -> int | None:
    """`selfcheck` beside the downloads."""
    root = tree.parent(row)
    names = tree.children(root) if root is not None else {}
    return root if b"http-v2" in names or b"http" in names or b"wheels" in names else None


def read(root: Root, tree: Tree) -> Reading:
    """The downloads, those no pip reads any more, halves of downloads, and each wheel built here."""
    parts = (
        {name: row for name, row in tree.children(root.row).items() if tree.is_folder(row)}
        if root.row is not None
        else {}
    )
    artifacts: list[Artifact] = []
    if b"http-v2" in parts:
        halves = tuple(_halves(tree, parts[b"http-v2"]))
        artifacts.append(
            _downloads(root, "pip:http", "downloads", (parts[b"http-v2"],), "packages as they were downloaded")
        )
        if halves:
            orphan = _downloads(root, "pip:http#orphan", "halves of downloads", halves, f"{len(halves)} files")
            artifacts.append(replace(orphan, state="orphan"))
    if b"http" in parts:
        artifacts.append(
            _downloads(
                root,
                "pip:http-old",
                "downloads of old versions",
                (parts[b"http"],),
                "pip 23.3 and later never reads these",
            )
        )
    if b"wheels" in parts:
        artifacts += _wheels(tree, root, parts[b"wheels"])
    if b"selfcheck" in parts:
        artifacts.append(_downloads(root, "pip:selfcheck", "self-check notes", (parts[b"selfcheck"],), ""))
    return Reading(tuple(artifacts))


def _downloads(root: Root, name: str, title: str, rows: tuple[int, ...], detail: str) -> Artifact:
    return Artifact(name, "package cache", "pip", title, root.path, rows, recovery="re-get", detail=detail)


def _files(tree: Tree, row: int) -> Iterator[tuple[bytes, int, int]]:
    waiting = [row]
    while waiting:
        folder = waiting.pop()
        for name, child in sorted(tree.children(folder).items()):
            if tree.is_folder(child):
                waiting.append(child)
            else:
                yield name, child, folder


def _halves(tree: Tree, row: int) -> Iterator[int]:
    """An entry is a file and its `.body`; either alone is never used."""
    for name, child, folder in _files(tree, row):
        other = name[:-5] if name.endswith(b".body") else name + b".body"
        if tree.child(folder, other) is None:
            yield child


def _wheels(tree: Tree, root: Root, row: int) -> Iterator[Artifact]:
    for name, child, folder in _files(tree, row):
        if not name.endswith(b".whl"):
            continue
        project, version, *_ = [*shown(name).split("-"), ""]
        origin = tree.child(folder, b"origin.json")
        yield Artifact(
            f"pip:wheel/{shown(name)[:-4]}",
            "package cache",
            "pip",
            f"{project} {version}, built here",
            root.path,
            (child,),
            () if origin is None else (origin,),
            version,
            recovery="re-make",
            detail="building it again can take long",
        )

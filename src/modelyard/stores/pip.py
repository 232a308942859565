"""pip's cache: downloads by the hash of their address, and wheels that were built here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.pip_layout import artifacts
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.stores.settings import ini_settings
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
    return Reading(tuple(artifacts(STORE, root, tree)))

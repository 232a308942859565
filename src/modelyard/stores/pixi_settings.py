"""Where pixi and rattler keep things: variables, pixi's config.toml, and the platform's folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Platform, Root
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables, user_cache, xdg_cache
from modelyard.stores.toml import toml_settings

ROOTS = ("PIXI_CACHE_DIR", "RATTLER_CACHE_DIR")
PARTS = {
    "pkgs": ("PIXI_CACHE_CONDA_PACKAGES_DIR", "conda_packages"),
    "repodata": ("PIXI_CACHE_REPODATA_DIR", "repodata"),
    "envs": ("PIXI_CACHE_DETACHED_ENVIRONMENTS_DIR", "detached_environments"),
    "cached-envs-v0": ("PIXI_CACHE_EXEC_ENVIRONMENTS_DIR", "exec_environments"),
    "cached-build-tool-envs-v0": ("PIXI_CACHE_BUILD_TOOL_ENVIRONMENTS_DIR", "build_tool_environments"),
}
"""Folders of the cache that can be elsewhere: by a variable or a key of `[cache]`."""
ENVIRONMENTS = ("envs", "cached-envs-v0", "cached-build-tool-envs-v0")


class Cache(msgspec.Struct, rename="kebab"):
    """The `[cache]` part of the settings."""

    root: str = ""
    conda_packages: str = ""
    repodata: str = ""
    exec_environments: str = ""
    build_tool_environments: str = ""
    detached_environments: str = ""


class Settings(msgspec.Struct, rename="kebab"):
    """What of pixi's config.toml moves folders."""

    cache: Cache = msgspec.field(default_factory=Cache)
    detached_environments: bool | str = False


def pixi_home(env: Mapping[str, str], home: Path) -> Root:
    """pixi's own folder with the environments of global tools."""
    return from_variables(("PIXI_HOME",), env, home) or Root(str(home / ".pixi"), "default")


def settings(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[tuple[str, bool, Settings | Problem]]:
    """pixi's settings files, the strongest first, with whether they are the machine's."""
    config = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    machine = "/etc/pixi/config.toml"
    paths = [f"{pixi_home(env, home).path}/config.toml"]
    if platform == "windows":
        paths.append(f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/pixi/config.toml")
        machine = "C:/ProgramData/pixi/config.toml"
    elif platform == "macos":
        paths.append(f"{home}/Library/Application Support/pixi/config.toml")
        paths += [f"{config}/pixi/config.toml"] if env.get("XDG_CONFIG_HOME") else []
    else:
        paths.append(f"{config}/pixi/config.toml")
    for path in (*paths, machine):
        yield path, path == machine, toml_settings(path, Settings)


def cache_roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Root | Problem]:
    """pixi's cache: variables, `[cache] root`, `pixi` in the cache folder where it is there, rattler's; then that."""
    cache, found_by = user_cache(env, home, platform)
    rattler = Root(str(cache / "rattler" / "cache"), found_by)
    own, how = xdg_cache(env, home)
    named = from_variables(ROOTS, env, home)
    for path, machine, found in settings(env, home, platform):
        if isinstance(found, Problem):
            yield found
        elif found.cache.root and not named:
            named = Root(expand(found.cache.root, env, home), f"{path} [cache] root", system=machine)
    if not named and platform != "windows" and os.path.isdir(own / "pixi"):
        named = Root(str(own / "pixi"), how)
    if named:
        yield named
    yield from_variables(ROOTS[1:], env, home) or rattler


def moved(env: Mapping[str, str], home: Path, platform: Platform, parts: tuple[str, ...]) -> Iterator[tuple[str, Root]]:
    """Parts of the cache that lie elsewhere by a variable or a key of their own."""
    known = [(path, machine, found) for path, machine, found in settings(env, home, platform)]
    for part in parts:
        variable, key = PARTS[part]
        if root := from_variables((variable,), env, home):
            yield part, root
            continue
        for path, machine, found in known:
            told = "" if isinstance(found, Problem) else getattr(found.cache, key)
            if told.strip():
                yield part, Root(expand(told, env, home), f"{path} [cache] {key}", system=machine)
                break


def environment_roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Root]:
    """Folders of environments outside projects: of global tools, and detached ones where settings put them."""
    own = pixi_home(env, home)
    yield Root(f"{own.path}/envs", own.found_by)
    for path, machine, found in settings(env, home, platform):
        if not isinstance(found, Problem) and isinstance(found.detached_environments, str):
            place = expand(found.detached_environments, env, home)
            yield Root(place, f"{path} detached-environments", system=machine)
    for _, root in moved(env, home, platform, ENVIRONMENTS):
        yield root

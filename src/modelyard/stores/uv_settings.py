"""Where uv keeps its cache, its tools and its Pythons: variables, uv.toml, and the platform's folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Place, Platform, Root
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables, xdg_cache
from modelyard.stores.toml import toml_settings

SYSTEM = {"linux": "/etc/uv/uv.toml", "macos": "/etc/uv/uv.toml", "windows": "C:/ProgramData/uv/uv.toml"}


class Settings(msgspec.Struct, rename="kebab"):
    """What of uv.toml moves folders."""

    cache_dir: str = ""


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The cache by variable, settings file or default; then the folders of tools and of Pythons."""
    named = from_variables(("UV_CACHE_DIR",), env, home)
    places: list[Place] = [named] if named else [*_configured(env, home, platform)]
    yield from places
    if not any(isinstance(place, Root) and not place.system for place in places):
        yield _cache(env, home, platform)
    data = _data(env, home, platform)
    yield from_variables(("UV_TOOL_DIR",), env, home) or Root(f"{data}/tools", "default")
    yield from_variables(("UV_PYTHON_INSTALL_DIR",), env, home) or Root(f"{data}/python", "default")


def _configured(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Place]:
    """The folder that the strongest settings file names, and files that could not be understood."""
    config = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    if platform == "windows":
        config = env.get("APPDATA") or str(home / "AppData" / "Roaming")
    own = expand(env["UV_CONFIG_FILE"], env, home) if env.get("UV_CONFIG_FILE") else f"{config}/uv/uv.toml"
    for path in (own, SYSTEM[platform]):
        settings = toml_settings(path, Settings)
        if isinstance(settings, Problem):
            yield settings
        elif settings.cache_dir.strip():
            yield Root(expand(settings.cache_dir, env, home), path, system=path != own)
            return


def _cache(env: Mapping[str, str], home: Path, platform: Platform) -> Root:
    """The user's cache folder; on macOS the one of old versions as long as it is there."""
    cache, found_by = xdg_cache(env, home)
    old = home / "Library" / "Caches" / "uv"
    if platform == "windows":
        return Root(f"{env.get('LOCALAPPDATA') or home / 'AppData' / 'Local'}/uv/cache", "default")
    if platform == "macos" and os.path.isdir(old):
        return Root(str(old), "default of old versions")
    return Root(str(cache / "uv"), found_by)


def _data(env: Mapping[str, str], home: Path, platform: Platform) -> str:
    """The user's data folder; on macOS the one of old versions as long as it is there."""
    old = home / "Library" / "Application Support" / "uv"
    if platform == "windows":
        return f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/uv/data"
    if platform == "macos" and os.path.isdir(old):
        return str(old)
    return expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home) + "/uv"

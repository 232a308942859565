"""Where Poetry keeps things: its variables, its config.toml, and the platform's folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Platform, Root
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.stores.toml import toml_settings


class Virtualenvs(msgspec.Struct):
    """The part of the settings about environments."""

    path: str = ""


class Python(msgspec.Struct, rename="kebab"):
    """The part of the settings about Pythons that Poetry installs."""

    installation_dir: str = ""


class Settings(msgspec.Struct, rename="kebab"):
    """What of config.toml moves folders."""

    cache_dir: str = ""
    data_dir: str = ""
    virtualenvs: Virtualenvs = msgspec.field(default_factory=Virtualenvs)
    python: Python = msgspec.field(default_factory=Python)


class Places(msgspec.Struct):
    """The three folders of Poetry, and what is wrong with its settings."""

    cache: Root
    environments: Root
    pythons: Root
    problem: Problem | None


def poetry_places(env: Mapping[str, str], home: Path, platform: Platform) -> Places:
    """Each by its variable, the settings file, else below the folder that it belongs to."""
    path = f"{_config(env, home, platform)}/config.toml"
    found = toml_settings(path, Settings)
    known = Settings() if isinstance(found, Problem) else found
    cache, found_by = user_cache(env, home, platform)
    base = Root(str(cache / "pypoetry" / ("Cache" if platform == "windows" else "")), found_by)
    data = from_variables(("POETRY_HOME",), env, home) or Root(_data(env, home, platform), "default")

    def moved(variable: str, setting: str, default: Root) -> Root:
        text = setting.replace("{cache-dir}", base.path).replace("{data-dir}", data.path)
        told = Root(expand(text, env, home), path) if text.strip() else default
        return from_variables((variable,), env, home) or told

    base = moved("POETRY_CACHE_DIR", known.cache_dir, base)
    data = moved("POETRY_DATA_DIR", known.data_dir, data)
    environments = Root(f"{base.path}/virtualenvs", base.found_by)
    pythons = Root(f"{data.path}/python", data.found_by)
    return Places(
        base,
        moved("POETRY_VIRTUALENVS_PATH", known.virtualenvs.path, environments),
        moved("POETRY_PYTHON_INSTALLATION_DIR", known.python.installation_dir, pythons),
        found if isinstance(found, Problem) else None,
    )


def _config(env: Mapping[str, str], home: Path, platform: Platform) -> str:
    if env.get("POETRY_CONFIG_DIR"):
        return expand(env["POETRY_CONFIG_DIR"], env, home)
    if platform == "windows":
        return f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/pypoetry"
    if platform == "macos":
        return f"{home}/Library/Application Support/pypoetry"
    return f"{expand(env.get('XDG_CONFIG_HOME') or '~/.config', env, home)}/pypoetry"


def _data(env: Mapping[str, str], home: Path, platform: Platform) -> str:
    if platform == "windows":
        return f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/pypoetry"
    if platform == "macos":
        return f"{home}/Library/Application Support/pypoetry"
    return f"{expand(env.get('XDG_DATA_HOME') or '~/.local/share', env, home)}/pypoetry"

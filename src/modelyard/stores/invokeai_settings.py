"""Where InvokeAI keeps its folders: its variables, its settings of today and of version 3, its defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Place, Platform, Root
from modelyard.problem import Problem
from modelyard.stores.model_settings import placed
from modelyard.stores.places import expand
from modelyard.stores.settings import yaml_settings

SETTINGS = "invokeai.yaml"
FOLDERS = {
    "models_dir": "models",
    "db_dir": "databases",
    "outputs_dir": "outputs",
    "download_cache_dir": "models/.download_cache",
    "custom_nodes_dir": "nodes",
}
Keys = dict[str, object]


class Runtime(Root, frozen=True):
    """A root with the folders that its settings and variables name, as key and path."""

    folders: tuple[tuple[str, str], ...] = ()


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The runtime folder by its variable, else beside the program's environment, else `~/invokeai`; what was moved."""
    base, found_by = str(home / "invokeai"), "default"
    beside = Path(expand(env.get("VIRTUAL_ENV") or "", env, home)).parent
    if env.get("INVOKEAI_ROOT", "").strip():
        base, found_by = expand(env["INVOKEAI_ROOT"], env, home), "INVOKEAI_ROOT"
    elif env.get("VIRTUAL_ENV") and os.path.lexists(beside / SETTINGS):
        base, found_by = str(beside), "VIRTUAL_ENV"
    keys = yaml_settings(f"{base}/{SETTINGS}", Keys)
    if isinstance(keys, Problem):
        yield keys
        keys = {}
    named = folders(keys, base, str(home), env)
    yield Runtime(base, found_by, folders=tuple(named.items()))
    for key, path in named.items():
        if not Path(path).is_relative_to(base):
            variable = f"INVOKEAI_{key.upper()}"
            yield Root(path, variable if env.get(variable) else f"{base}/{SETTINGS} {key}")


def folders(keys: Keys, base: str, home: str, env: Mapping[str, str]) -> dict[str, str]:
    """The absolute path of each folder, by its key."""
    old = keys.get("InvokeAI")
    for section in old.values() if isinstance(old, dict) else ():
        if isinstance(section, dict):
            keys = {
                **section,
                "outputs_dir": section.get("outdir"),
                **{key: text for key, text in keys.items() if text},
            }
    found = {}
    for key, default in FOLDERS.items():
        text = env.get(f"INVOKEAI_{key.upper()}") or keys.get(key)
        found[key] = placed(text if isinstance(text, str) and text.strip() else default, base, home)
    return found

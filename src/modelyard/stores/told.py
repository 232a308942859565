"""The settings files in which tools are told where their folders are, and their text with another place in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml
from msgspec import Struct

from modelyard.inventory import Platform, Root
from modelyard.problem import Problem
from modelyard.stores.docker_folders import of_machine, of_user
from modelyard.stores.places import expand
from modelyard.stores.setting_lines import (
    STRANGE,
    ini_with,
    json_keys,
    json_with,
    new_lines,
    toml_with,
    unit_with,
    yaml_with,
)
from modelyard.walk.read import read_setting

UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class Surroundings(Struct, frozen=True):
    """Whose settings they are."""

    env: Mapping[str, str]
    home: Path
    platform: Platform

    def config(self, mac: str = ".config") -> str:
        """The folder of settings; `mac` is the one that a tool uses on macOS, below home."""
        if self.platform == "macos":
            return f"{self.home}/{mac}"
        return expand(self.env.get("XDG_CONFIG_HOME") or "~/.config", self.env, self.home)


class Written(Struct, frozen=True):
    """A settings file with its new text, and the lines of it that are new."""

    file: str
    text: str
    lines: tuple[str, ...]


Edited = tuple[str, Callable[[str], str]]
COMMANDED = "docker.service names {} by --data-root, which its engine does not take from two places"
OLD_WORD = "it names the folder by another word than `data-root`"


def written(setting: str, root: Root, target: str, around: Surroundings) -> Written | Problem | None:
    """The settings file that tells a tool of its new place; None where it has none, or something stronger counts.

    A Problem where the file is not understood.
    """
    found = SETTINGS[setting](root, target, around)
    if found is None or root.found_by in around.env:
        return None
    if isinstance(found, Problem):
        return found
    path, edit = found
    real = os.path.realpath(path)
    old = read_setting(real)
    if isinstance(old, Problem):
        return old
    try:
        new = edit(old)
    except ValueError:
        return Problem(real, "unreadable-settings", STRANGE)
    if UNREADABLE in old:  # what stands there is not known, and would be written back as something else
        return Problem(real, "unreadable-settings", STRANGE)
    return Written(real, new, tuple(new_lines(old, new)))


def _named(root: Root, default: str) -> str:
    """The file in which the root was found, else the one that its tool reads."""
    return root.found_by if root.found_by.startswith("/") else default


def _pip(root: Root, target: str, around: Surroundings) -> Edited:
    mac = "Library/Application Support"
    folder = around.config(mac if os.path.isdir(f"{around.home}/{mac}/pip") else ".config")
    return _named(root, f"{folder}/pip/pip.conf"), lambda text: ini_with(text, "global", "cache-dir", target)


def _uv(root: Root, target: str, around: Surroundings) -> Edited:
    file = around.env.get("UV_CONFIG_FILE") or f"{around.config()}/uv/uv.toml"
    return _named(root, file), lambda text: toml_with(text, "cache-dir", target)


def _poetry(root: Root, target: str, around: Surroundings) -> Edited:
    folder = around.config("Library/Application Support")
    return _named(root, f"{folder}/pypoetry/config.toml"), lambda text: toml_with(text, "cache-dir", target)


def _conda(root: Root, target: str, around: Surroundings) -> Edited | None:
    """The list of folders of packages: the new one stands where the old one did, and first where that was not told."""
    file = root.found_by.rpartition(" ")[0] if root.found_by.endswith(" pkgs_dirs") else f"{around.home}/.condarc"
    old = root.path if root.found_by.endswith(" pkgs_dirs") else f"{root.path}/pkgs"

    def edit(text: str) -> str:
        try:
            keys = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise ValueError(STRANGE) from error
        told = keys.get("pkgs_dirs") if isinstance(keys, dict) else None
        listed = [told] if isinstance(told, str) else [str(each) for each in told or ()]
        moved = [target if expand(each, around.env, around.home) == old else each for each in listed]
        return yaml_with(text, "pkgs_dirs", moved if target in moved else [target, *moved])

    return None if around.env.get("CONDA_PKGS_DIRS") else (file, edit)


def _lmstudio(root: Root, target: str, around: Surroundings) -> Edited:
    base = root.path
    if root.found_by == "settings.json downloadsFolder":
        pointer = read_setting(f"{around.home}/.lmstudio-home-pointer")
        told = "" if isinstance(pointer, Problem) else pointer.strip()
        old = around.home / ".cache" / "lm-studio"
        base = (
            expand(told, around.env, around.home) if told else str(old if old.is_dir() else around.home / ".lmstudio")
        )
    return f"{base}/settings.json", lambda text: json_with(text, "downloadsFolder", target)


def _gpt4all(root: Root, target: str, around: Surroundings) -> Edited | None:
    if root.found_by == "default of the Python package":
        return None
    return f"{around.config()}/nomic.ai/GPT4All.ini", lambda text: ini_with(text, "General", "modelPath", target)


def _jan(root: Root, target: str, around: Surroundings) -> Edited:
    base = expand(around.env.get("XDG_DATA_HOME") or "~/.local/share", around.env, around.home) + "/Jan"
    if around.platform == "macos":
        base = f"{around.home}/Library/Application Support/Jan"
    return f"{base}/settings.json", lambda text: json_with(text, "data_folder", target)


def _invokeai(root: Root, target: str, around: Surroundings) -> Edited | None:
    if around.env.get("INVOKEAI_MODELS_DIR"):
        return None
    file = root.found_by.partition(" ")[0] if root.found_by.endswith(" models_dir") else f"{root.path}/invokeai.yaml"
    downloads = f"{target}/.download_cache"  # by default below the models, wherever those are

    def edit(text: str) -> str:
        text = yaml_with(text, "models_dir", target)
        below = os.path.isdir(f"{root.path}/models/.download_cache") and "download_cache_dir" not in text
        return yaml_with(text, "download_cache_dir", downloads) if below else text

    return file, edit


def _comfyui(root: Root, target: str, around: Surroundings) -> Edited | None:
    """A section of our own that names every folder of models at the new place, for what has a program beside it."""
    if not os.path.isfile(f"{root.path}/main.py"):
        return None
    models = f"{root.path}/models"
    kinds = sorted(each for each in os.listdir(models) if os.path.isdir(f"{models}/{each}"))
    section = {"base_path": target, "is_default": True, **{each: each for each in kinds}}
    return f"{root.path}/extra_model_paths.yaml", lambda text: yaml_with(text, "modelyard", section)


def _stabilitymatrix(root: Root, target: str, around: Surroundings) -> Edited:
    return f"{root.path}/settings.json", lambda text: json_with(text, "ModelDirectoryOverride", target)


def _dvc(root: Root, target: str, around: Surroundings) -> Edited:
    """The settings of this machine alone, which no repository holds."""
    file = root.found_by if root.found_by.startswith("/") else f"{root.path}/config.local"
    return file, lambda text: ini_with(text, "cache", "dir", target)


def _ollama(root: Root, target: str, around: Surroundings) -> Edited | None:
    """The service's drop-in; a server of one's own has nothing but its variable."""
    if not root.system or around.platform != "linux":
        return None
    file = "/etc/systemd/system/ollama.service.d/override.conf"
    return file, lambda text: unit_with(text, "OLLAMA_MODELS", target)


def _docker(root: Root, target: str, around: Surroundings) -> Edited | Problem:
    """The engine's `daemon.json`; it does not start where its command names the folder, too."""
    engine = of_machine() if root.system else of_user(around.env, around.home)
    file = engine.settings_file()
    if folder := engine.told():
        return Problem(
            file,
            "unreadable-settings",
            COMMANDED.format(folder),
            "`systemctl cat docker` shows where: take it out there",
        )
    if any(key != "data-root" and key.lower() in ("data-root", "graph") for key in json_keys(read_setting(file))):
        return Problem(file, "unreadable-settings", OLD_WORD, "call it `data-root` there, and run again")
    return file, lambda text: json_with(text, "data-root", target)


SETTINGS: Mapping[str, Callable[[Root, str, Surroundings], Edited | Problem | None]] = {
    "pip": _pip,
    "uv": _uv,
    "poetry": _poetry,
    "conda": _conda,
    "lmstudio": _lmstudio,
    "gpt4all": _gpt4all,
    "jan": _jan,
    "invokeai": _invokeai,
    "comfyui": _comfyui,
    "stabilitymatrix": _stabilitymatrix,
    "dvc": _dvc,
    "ollama": _ollama,
    "docker": _docker,
}

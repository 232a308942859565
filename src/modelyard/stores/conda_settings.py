"""Where conda keeps environments and packages: variables, .condarc, its own notes, and the usual folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Place, Platform, Root
from modelyard.problem import Problem
from modelyard.stores.pixi_settings import environment_roots
from modelyard.stores.places import expand
from modelyard.stores.settings import yaml_settings
from modelyard.walk.read import read_setting

INSTALLS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".local/share/mamba")
SYSTEM = {
    "linux": ("/opt/conda", "/opt/miniconda3", "/opt/anaconda3", "/opt/miniforge3"),
    "macos": (
        "/opt/conda",
        "/opt/miniconda3",
        "/opt/anaconda3",
        "/opt/homebrew/Caskroom/miniconda/base",
        "/opt/homebrew/Caskroom/miniforge/base",
    ),
    "windows": ("C:/ProgramData/miniconda3", "C:/ProgramData/anaconda3", "C:/ProgramData/miniforge3"),
}


class Settings(msgspec.Struct):
    """The lists of a .condarc that move folders; a single folder may stand for a list."""

    envs_dirs: list[str] | str | None = None
    envs_path: list[str] | str | None = None
    pkgs_dirs: list[str] | str | None = None

    def lists(self) -> Iterator[tuple[str, list[str]]]:
        """The folders by the name of their list."""
        for key in self.__struct_fields__:
            value = getattr(self, key) or []
            yield key, [part for part in ([value] if isinstance(value, str) else value) if part.strip()]


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """Installations, folders of environments and of packages by variable and settings, and prefixes conda noted."""
    separator = ";" if platform == "windows" else ":"
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS"):
        for part in filter(None, (part.strip() for part in re.split(f"[{separator},]", env.get(variable, "")))):
            yield Root(expand(part, env, home), variable)
    for path, system in _files(env, home):
        settings = yaml_settings(path, Settings)
        if isinstance(settings, Problem):
            yield settings
            continue
        for key, parts in settings.lists():
            yield from (Root(expand(part, env, home), f"{path} {key}", system=system) for part in parts)
    if env.get("MAMBA_ROOT_PREFIX"):
        yield Root(expand(env["MAMBA_ROOT_PREFIX"], env, home), "MAMBA_ROOT_PREFIX")
    for name in INSTALLS:
        yield Root(str(home / name), "default")
    for folder in _user_folders(env, home, platform):
        yield Root(folder, "default")
    yield from environment_roots(env, home, platform)
    for path in SYSTEM[platform]:
        yield Root(path, "default", system=True)
    noted = read_setting(f"{home}/.conda/environments.txt")
    if isinstance(noted, Problem):
        yield noted
        return
    for line in filter(str.strip, noted.splitlines()):
        yield Root(expand(line, env, home), "~/.conda/environments.txt")


def _user_folders(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[str]:
    """Where conda and mamba put things for a user who may not write into the installation."""
    yield str(home / ".conda")
    yield str(home / ".mamba")
    if platform == "windows":
        yield f"{env.get('LOCALAPPDATA') or home / 'AppData' / 'Local'}/conda/conda"
        roaming = env.get("APPDATA") or home / "AppData" / "Roaming"
        yield from (f"{roaming}/.mamba", f"{roaming}/mamba")
    elif env.get("XDG_DATA_HOME"):
        yield expand(env["XDG_DATA_HOME"], env, home) + "/mamba"


def _files(env: Mapping[str, str], home: Path) -> Iterator[tuple[str, bool]]:
    """conda's settings files, the ones read last and so strongest first, and whether they are the machine's."""
    config = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    own = [
        env.get("CONDARC", ""),
        *(f"{env[name]}/.condarc" for name in ("CONDA_PREFIX", "CONDA_ROOT") if env.get(name)),
    ]
    for path in (*own, f"{home}/.condarc", f"{home}/.conda/.condarc", f"{config}/conda/.condarc"):
        if path:
            yield path, False
    for path in ("/var/lib/conda/.condarc", "/etc/conda/.condarc"):
        yield path, True

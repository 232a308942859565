"""Where conda keeps environments and packages: variables, .condarc, its own notes, and the usual folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Root
from modelyard.stores.places import expand
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
LISTS = re.compile(r"^(envs_dirs|envs_path|pkgs_dirs)\s*:\s*(\[.*\])?$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Installations, folders of environments and of packages by variable and settings, and prefixes conda noted."""
    separator = ";" if platform == "windows" else ":"
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS"):
        for part in filter(None, (part.strip() for part in re.split(f"[{separator},]", env.get(variable, "")))):
            yield Root(expand(part, env, home), variable)
    for path, system in _files(env, home):
        for key, part in _lists(read_setting(path) or ""):
            if part.strip(" \t\"'"):
                yield Root(expand(part, env, home), f"{path} {key}", system=system)
    if env.get("MAMBA_ROOT_PREFIX"):
        yield Root(expand(env["MAMBA_ROOT_PREFIX"], env, home), "MAMBA_ROOT_PREFIX")
    for name in INSTALLS:
        yield Root(str(home / name), "default")
    yield Root(str(home / ".conda"), "default")
    for path in SYSTEM[platform]:
        yield Root(path, "default", system=True)
    for line in (read_setting(f"{home}/.conda/environments.txt") or "").splitlines():
        if line.strip():
            yield Root(expand(line, env, home), "~/.conda/environments.txt")


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


def _lists(text: str) -> Iterator[tuple[str, str]]:
    """The folders in a .condarc: YAML of which only these three lists matter, in block or flow style."""
    key = ""
    for line in text.splitlines():
        line = line.split(" #")[0].rstrip()
        if found := LISTS.match(line):
            key = found[1]
            yield from ((key, part) for part in (found[2] or "[]")[1:-1].split(","))
        elif key and line.lstrip().startswith("- "):
            yield key, line.lstrip()[2:]
        elif line and not line.startswith((" ", "#", "-")):
            key = ""

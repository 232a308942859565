"""Where programs put things by the rules of each platform: caches, settings, and paths with variables in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from modelyard.inventory import Platform, Root

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))|%(\w+)%")


def expand(text: str, env: Mapping[str, str], home: Path) -> str:
    """A path as a tool reads it from a setting: quotes and blanks trimmed, `~` and variables replaced, absolute."""
    text = text.strip().strip("\"'")
    text = VARIABLE.sub(lambda found: env.get(found[1] or found[2] or found[3], found[0]), text)
    if text == "~" or text.startswith(("~/", "~\\")):
        text = f"{home}{text[1:]}"
    return str(home / text.replace("\0", ""))


def xdg_cache(env: Mapping[str, str], home: Path) -> tuple[Path, str]:
    """`$XDG_CACHE_HOME` or `~/.cache`, which most ML tools use on every platform, and how it was found."""
    if env.get("XDG_CACHE_HOME"):
        return Path(expand(env["XDG_CACHE_HOME"], env, home)), "XDG_CACHE_HOME"
    return home / ".cache", "default"


def user_cache(env: Mapping[str, str], home: Path, platform: Platform) -> tuple[Path, str]:
    """The platform's own cache folder, and how it was found."""
    if platform == "windows":
        return Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local"), "default"
    if platform == "macos" and not env.get("XDG_CACHE_HOME"):
        return home / "Library" / "Caches", "default"
    return xdg_cache(env, home)


def from_variables(names: tuple[str, ...], env: Mapping[str, str], home: Path) -> Root | None:
    """The root that the first set variable names."""
    for name in names:
        if env.get(name, "").strip():
            return Root(expand(env[name], env, home), name)
    return None

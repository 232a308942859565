"""GPT4All: model files of the chat program and of its Python package; chats and documents stay out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child, unfinished
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import expand
from modelyard.stores.settings import ini_settings
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "gpt4all",
    "GPT4All",
    ("GPT4All.ini modelPath",),
    kinds=("model",),
    recoveries=("re-get",),
)
FOLDER = "nomic.ai/GPT4All"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The folder that the chat program's settings name, its default, and the one of the Python package."""
    if platform == "macos":
        data = home / "Library" / "Application Support"
        config = home / ".config"
    elif platform == "windows":
        data = Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local")
        config = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    else:
        data = Path(expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home))
        config = Path(expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home))
    file = f"{config}/nomic.ai/GPT4All.ini"
    settings = ini_settings(file)
    if isinstance(settings, Problem):
        yield settings
    elif moved := settings.get("General", "modelPath", fallback=""):
        yield Root(expand(moved, env, home), file)
    yield Root(str(data / FOLDER), "default")
    yield Root(str(home / ".cache" / "gpt4all"), "default of the Python package")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model file."""
    assert root.row is not None
    names = sorted(tree.children(root.row).items())
    halves = [row for name, row in names if name.startswith(b"incomplete-") or name.endswith(b".part")]
    whole = [row for name, row in names if name.endswith((b".gguf", b".bin")) and row not in halves]
    models = [child(STORE, root, tree, row, "model", "re-get") for row in whole]
    return Reading((*models, *unfinished(STORE, root, halves, "model")))

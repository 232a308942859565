"""Programs that run models with MLX on a Mac: oMLX, mlx-audio for Swift, and apps made with swift-transformers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child
from modelyard.stores.places import expand, from_variables, xdg_cache
from modelyard.stores.settings import json_settings
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "mlx",
    "MLX programs",
    ("OMLX_BASE_PATH", "oMLX/base-path", "oMLX settings.json model_dirs, ssd_cache_dir"),
    ("mlx-audio",),
    kinds=("model", "other"),
    recoveries=("re-get", "re-make"),
)
DESCRIPTION = b"config.json"
NOTES = (b".cache", b"huggingface", b"download")  # with these the files have a store of their own
CACHED, MODELS = "oMLX cache", "oMLX models"
PROMPTS = "processed prompts, made again when they are asked for"
LM_STUDIO = (".lmstudio", "lm-studio")  # oMLX may read its models, which are its own
LEVELS = 2  # owner and name, or the name alone


class Models(msgspec.Struct):
    """Where oMLX looks for models."""

    model_dirs: list[str] = []
    model_dir: str | None = None


class Cache(msgspec.Struct):
    """Where oMLX keeps processed prompts."""

    ssd_cache_dir: str | None = None


class Settings(msgspec.Struct):
    """The parts of oMLX's settings.json that move things."""

    model: Models = msgspec.field(default_factory=Models)
    cache: Cache = msgspec.field(default_factory=Cache)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """oMLX wherever its settings say; on a Mac also the folders of Swift programs."""
    yield from _omlx(env, home)
    hub = from_variables(("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), env, home)
    under = from_variables(("HF_HOME",), env, home)
    base = hub.path if hub else f"{under.path if under else xdg_cache(env, home)[0] / 'huggingface'}/hub"
    yield Root(f"{base}/mlx-audio", hub.found_by if hub else under.found_by if under else "default")
    if platform == "macos":
        yield Root(str(home / "Library" / "Caches" / "mlx-audio"), "default of older versions")
        yield Root(str(home / "Documents" / "huggingface" / "models"), "default of swift-transformers")


def _omlx(env: Mapping[str, str], home: Path) -> Iterable[Place]:
    pointer = home / "Library" / "Application Support" / "oMLX" / "base-path"
    moved = read_setting(str(pointer))
    if isinstance(moved, Problem):
        yield moved
        moved = ""
    told = Root(expand(moved, env, home), str(pointer)) if moved.strip() else Root(str(home / ".omlx"), "default")
    base = from_variables(("OMLX_BASE_PATH",), env, home) or told
    file = f"{base.path}/settings.json"
    settings = json_settings(file, Settings)
    if isinstance(settings, Problem):
        yield settings
        settings = Settings()
    folders = settings.model.model_dirs or [settings.model.model_dir or ""]
    for folder in folders:
        if folder and not any(part in LM_STUDIO for part in Path(folder).parts):
            yield Root(expand(folder, env, home), f"{MODELS} in {file}", shared=True)
    if cache := settings.cache.ssd_cache_dir:
        yield Root(expand(cache, env, home), f"{CACHED} in {file}")
    yield Root(f"{base.path}/models", base.found_by)
    yield Root(f"{base.path}/cache", f"{CACHED}, {base.found_by}")


def recognise(tree: Tree, row: int) -> int | None:
    """A folder of that name with models in it: apps in a sandbox have one each."""
    return row if any(DESCRIPTION in tree.children(each) for each in tree.children(row).values()) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model; the processed prompts as one."""
    assert root.row is not None
    if root.found_by.startswith(CACHED):
        title = "processed prompts"
        place = tree.label(root.row)
        return Reading(
            (
                Artifact(
                    f"mlx:{place}", "other", "mlx", title, root.path, (root.row,), recovery="re-make", detail=PROMPTS
                ),
            )
        )
    return Reading(tuple(_models(root, tree, root.row, "", LEVELS)))


def _models(root: Root, tree: Tree, row: int, way: str, levels: int) -> Iterator[Artifact]:
    """A folder with a description, at one level or two. Without one, the deepest is half a download."""
    for name, inner in sorted(tree.children(row).items()):
        if not tree.is_folder(inner) or name.startswith(b".") or tree.child(inner, *NOTES) is not None:
            continue
        parts = tree.children(inner)
        draft = child(STORE, root, tree, inner, "model", "re-get", way)
        if DESCRIPTION in parts:
            yield draft
        elif levels > 1 and any(tree.is_folder(each) for each in parts.values()):
            yield from _models(root, tree, inner, f"{way}{shown(name)}/", levels - 1)
        elif not root.shared and parts:
            yield replace(draft, state="partial", detail="no config.json")

"""RamaLama: per model blobs, snapshots that link to them, and a file for each tag."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Place, Platform, Reading, Recovery, Root, State, Store
from modelyard.problem import Problem
from modelyard.stores.folders import unfinished
from modelyard.stores.places import expand, from_variables
from modelyard.stores.ramalama_tags import REFS, Tag, blob_name, models, tags
from modelyard.stores.settings import HINT
from modelyard.walk.read import read_setting
from modelyard.walk.tree import Tree

STORE = Store(
    "ramalama",
    "RamaLama",
    ("RAMALAMA_STORE", "ramalama.conf store", "RAMALAMA_CONFIG", "XDG_DATA_HOME"),
    ("snapshots",),
    kinds=("model",),
    recoveries=("re-get", "none"),
)
BLOBS, SNAPSHOTS, HALF, JSON = b"blobs", b"snapshots", b".partial", b".json"
SOURCES = (b"ollama", b"huggingface", b"hf", b"modelscope", b"ms", b"http", b"https", b"file", b"rlcr", b"oci", b"url")
SERVICE = Root("/var/lib/ramalama", "default of the root user", system=True)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The variable, the settings file, else below the folder for programs' data; the root user has its own."""
    moved = from_variables(("RAMALAMA_STORE",), env, home)
    data = expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)
    file = f"{expand(env.get('XDG_CONFIG_HOME') or '~/.config', env, home)}/ramalama/ramalama.conf"
    if platform == "windows":
        file = f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/ramalama/ramalama.conf"
    file = expand(env["RAMALAMA_CONFIG"], env, home) if env.get("RAMALAMA_CONFIG") else file
    setting = _setting(file)
    if isinstance(setting, Problem):
        yield setting
    elif setting and not moved:
        moved = Root(expand(setting, env, home), file)
    yield moved or Root(f"{data}/ramalama", "default")
    if platform != "windows":
        yield SERVICE


def _setting(file: str) -> str | Problem:
    """The store that a settings file names, empty where it names none."""
    text = read_setting(file)
    if isinstance(text, Problem):
        return text
    try:
        section = tomllib.loads(text).get("ramalama")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return Problem(file, "unreadable-settings", f"a settings file that is not understood as TOML: {error}", HINT)
    named = section.get("store") if isinstance(section, dict) else None
    return named if isinstance(named, str) else ""


def recognise(tree: Tree, row: int) -> int | None:
    """The folder above `store/SOURCE/...` that a model with blobs, tags and snapshots lies in."""
    at = tree.parent(row)
    if at is None or not all(part in tree.children(at) for part in (REFS, BLOBS)):
        return None
    while at is not None:
        above = tree.parent(at)
        if tree.name(at) in SOURCES and above is not None and tree.name(above) == b"store":
            return tree.parent(above)
        at = above
    return None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a tag; half downloads and blobs that no tag names apart."""
    found: list[Artifact] = []
    halves: list[int] = []
    orphans: list[int] = []
    for name, row in models(tree, tree.child(root.row, b"store"), ()):
        known = list(tags(tree, row))
        found += [_tagged(root, tree, row, name, tag) for tag in known]
        blobs = tree.children(tree.children(row)[BLOBS]) if BLOBS in tree.children(row) else {}
        halves += [blob for key, blob in sorted(blobs.items()) if key.endswith(HALF)]
        if all(tag.reference for tag in known) and tree.is_whole(row):
            used = {blob_name(file.hash) for tag in known if tag.reference for file in tag.reference.files}
            orphans += [blob for key, blob in sorted(blobs.items()) if key not in used and not key.endswith(HALF)]
    words = f"{len(orphans)} blobs no tag names"
    lost = _artifact(root, "#orphan", words, tuple(orphans), (), "orphan") if orphans else None
    return Reading((*found, *unfinished(STORE, root, halves, "model"), *([lost] if lost else [])))


def _tagged(root: Root, tree: Tree, row: int, name: str, tag: Tag) -> Artifact:
    """A tag that cannot be understood stands for everything of its model."""
    if tag.reference is None:
        parts = [tree.child(row, part) for part in (BLOBS, SNAPSHOTS)]
        blobs, snapshots = (sorted(tree.children(part).values()) if part is not None else [] for part in parts)
        damaged = tree.name(tag.row).endswith(JSON)
        words = "its tag is damaged" if damaged else "its tag is of an old version, which the next call rewrites"
        state: State = "corrupt" if damaged else "complete"
        return _artifact(root, f"{name}:{tag.name}", words, tuple(blobs), (tag.row, *snapshots), state)
    rows = [tree.child(row, BLOBS, blob_name(file.hash)) for file in tag.reference.files]
    there = tuple(dict.fromkeys(each for each in rows if each is not None))
    snapshot = tree.child(row, SNAPSHOTS, blob_name(tag.reference.hash))
    missing = sum(each is None for each in rows)
    state = "complete" if there and not missing else "dangling"
    pins = (tag.row,) if snapshot is None else (tag.row, snapshot)
    return _artifact(root, f"{name}:{tag.name}", f"{missing} files are gone" if missing else "", there, pins, state)


def _artifact(
    root: Root, name: str, detail: str, rows: tuple[int, ...], pins: tuple[int, ...], state: State
) -> Artifact:
    """A copy of a local file comes back only as long as that file is there."""
    recovery: Recovery = "none" if name.startswith("file://") or state == "corrupt" else "re-get"
    return Artifact(
        f"ramalama:{name}",
        "model",
        "ramalama",
        name,
        root.path,
        rows,
        pins,
        state=state,
        recovery=recovery,
        detail=detail,
    )

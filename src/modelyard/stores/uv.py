"""uv: its cache by bucket, environments that live in it, tools, and Pythons; what environments share stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Reading, Recovery, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child, unfinished
from modelyard.stores.pythons import installations
from modelyard.stores.toml import not_toml, parsed_toml
from modelyard.stores.uv_cache import environment, linking, live, unnamed
from modelyard.stores.uv_settings import roots as roots
from modelyard.stores.virtual_environment import BUCKET, CAP, RECEIPT, is_environment
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "uv",
    "uv",
    ("UV_CACHE_DIR", "uv.toml cache-dir", "XDG_CACHE_HOME", "UV_TOOL_DIR", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"),
    ("archive-v*", "pyvenv.cfg"),
    watched=(".venv",),
    kinds=("environment", "package cache"),
    recoveries=("re-get", "re-make", "re-solve"),
)
MEANT: dict[str, tuple[Kind, Recovery, str]] = {
    "environments": ("environment", "re-solve", "what belongs to environments in the cache"),
    "sdists": ("package cache", "re-make", "wheels built here"),
    "builds": ("package cache", "re-make", ""),
}
LINKED = "environments seen that link into it: removing it breaks them"


class Entry(msgspec.Struct, rename="kebab"):
    """A command of a tool, and where its link lies."""

    name: str
    install_path: str = ""


class Tool(msgspec.Struct):
    """What uv notes of a tool."""

    entrypoints: list[Entry] = []


class Receipt(msgspec.Struct):
    """uv's note beside a tool's environment."""

    tool: Tool = msgspec.field(default_factory=Tool)


def recognise(tree: Tree, row: int) -> int | None:
    """An archive bucket beside the tag that marks caches; the folder of a tool by uv's receipt."""
    folder = tree.parent(row)
    if tree.name(row) == b"pyvenv.cfg":
        return tree.parent(folder) if folder is not None and tree.child(folder, RECEIPT) is not None else None
    return folder if BUCKET.match(tree.name(row)) and tree.child(folder, b"CACHEDIR.TAG") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """Buckets, of several versions of one the lower dead to the uv that made the highest; tools and Pythons."""
    assert root.row is not None
    buckets: dict[str, list[int]] = {}
    for name, row in sorted(tree.children(root.row).items()):
        if (found := BUCKET.match(name)) and tree.is_folder(row):
            buckets.setdefault(found[1].decode(), []).append(row)
    archives = buckets.get("archive", ())
    living = [each for row in buckets.get("environments", ()) for each in live(STORE, root, tree, row, archives)]
    half = tree.child(root.row, b".temp")
    problems = [problem for _, about in living for problem in about.problems]
    return Reading(
        (
            *(artifact for artifact, _ in living),
            *_buckets(root, tree, buckets),
            *_tools(root, tree, problems),
            *installations(STORE, root, tree, root.row, "re-get", "python/"),
            *unfinished(STORE, root, tree.children(half).values() if half is not None else (), "package cache"),
        ),
        tuple(problems),
    )


def _buckets(root: Root, tree: Tree, buckets: Mapping[str, list[int]]) -> Iterator[Artifact]:
    assert root.row is not None
    linked = "archive" in buckets and linking(tree, root.row)
    for word, rows in sorted(buckets.items()):
        kind, recovery, detail = MEANT.get(word, ("package cache", "re-get", ""))
        number = {row: int(tree.name(row).rpartition(b"-v")[2]) for row in rows}
        for row in rows:
            draft = replace(child(STORE, root, tree, row, kind, recovery), detail=detail)
            if kind == "environment":  # projects may live in old ones too
                rest = tuple(each for _, each in sorted(tree.children(row).items()) if not is_environment(tree, each))
                if rest:
                    yield replace(draft, blobs=rest)
            elif number[row] < max(number.values()):
                yield replace(draft, detail="of an older uv", state="orphan")
            else:
                yield replace(draft, detail=LINKED) if linked and word == "archive" else draft
    if not linked:
        yield from unnamed(STORE, root, tree, buckets)


def _tools(root: Root, tree: Tree, problems: list[Problem]) -> Iterator[Artifact]:
    assert root.row is not None
    for name, row in sorted(tree.children(root.row).items()):
        receipt = tree.child(row, RECEIPT)
        if receipt is None or not is_environment(tree, row):
            continue
        text = tree.read(receipt, CAP)
        found = text if isinstance(text, Problem) else parsed_toml(text, Receipt)
        if isinstance(found, ValueError):
            found = not_toml(shown(tree.path(receipt)), found)
        problems += [found] if isinstance(found, Problem) else []
        commands = found.tool.entrypoints if isinstance(found, Receipt) else []
        made, about = environment(STORE, root, tree, row, f"tool/{shown(name)}", None)
        problems += about.problems
        facts = (
            (("Commands", ", ".join(shown(each.install_path or each.name) for each in commands)),) if commands else ()
        )
        yield replace(made, facts=(*made.facts, *facts))

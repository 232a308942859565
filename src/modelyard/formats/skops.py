"""skops: a zip archive of a schema that says which classes to make, and arrays as `.npy`.

Layout: `skops/io/_persist.py` and the nodes beside it.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head
from modelyard.formats.zips import Directory, directory, opened, start_of
from modelyard.problem import Problem

TITLE = "skops"
MOST_NODES = 100_000


def sniff(head: Head) -> bool:
    """The schema."""
    return "schema.json" in head.names


@told
def read(file: File) -> Header:
    """The arrays by where they hang in the schema, and the classes that it names."""
    found = directory(file)
    member = found.find("schema.json")
    if member is None:
        raise BrokenError("has no schema")
    schema = decode(opened(file, member).whole(8 << 20), dict[str, Any])
    named: dict[str, str] = {}
    classes: set[str] = set()
    _walk(schema, named, classes)
    tensors = [each for name, inside in named.items() for each in _array(file, found, name, inside)]
    used = sorted(each for each in classes if not each.startswith("builtins."))
    maker = "scikit-learn" if any(each.startswith("sklearn.") for each in used) else ""
    return Header(
        TITLE,
        f"protocol {schema.get('protocol', '?')}",
        tuple(tensors),
        architecture=str(schema.get("__class__", ""))[:200],
        framework=maker,
        metadata=(("skops", str(schema.get("_skops_version", ""))[:40]), ("classes", ", ".join(used[:64]))),
        loads=("skops.io.load(path, trusted=[...])",),
    )


def _walk(schema: dict[str, Any], named: dict[str, str], classes: set[str]) -> None:
    """Names of arrays by their path, and every class."""
    waiting: list[tuple[str, Any]] = [("", schema)]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        path, node = waiting.pop()
        if isinstance(node, list):
            waiting += [(f"{path}.{at}", each) for at, each in reversed(list(enumerate(node)))]
        if not isinstance(node, dict):
            continue
        module, kind, inside = node.get("__module__"), node.get("__class__"), node.get("file")
        if isinstance(module, str) and isinstance(kind, str):
            classes.add(f"{module}.{kind}"[:200])
        if isinstance(inside, str):
            named[path.lstrip(".")[:400]] = inside
        plain = {"content": "", "attrs": ""}
        below = [(plain.get(key, f".{key}"), each) for key, each in node.items() if isinstance(each, dict | list)]
        waiting += [(path + word, each) for word, each in reversed(below)]


def _array(file: File, found: Directory, name: str, inside: str) -> list[Tensor]:
    member = found.find(inside)
    if member is None:
        raise BrokenError(f"names an array {inside[:80]!r} that is not there", "truncated")
    header = opened(file, member, 65536).header()
    if isinstance(header, Problem):
        return []
    start = start_of(file, member)
    return [
        replace(
            each,
            name=name,
            member=inside,
            offset=None if start is None or each.offset is None else start + each.offset,
        )
        for each in header.tensors
    ]

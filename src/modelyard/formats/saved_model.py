"""A TensorFlow SavedModel: graphs as protobuf, and their variables in a folder beside it.

Layout: `tensorflow/core/protobuf/saved_model.proto` and `meta_graph.proto`.
"""

from __future__ import annotations

import re
from collections import Counter

from modelyard.formats.bundles import bundle
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.protobuf import Message
from modelyard.formats.sniffing import Head

TITLE = "TensorFlow SavedModel"
VARIABLES = "variables/variables"
INDEX = f"{VARIABLES}.index"
START = re.compile(rb"\x08\x01\x12[\x80-\xff]*[\0-\x7f]\x0a")


def sniff(head: Head) -> bool:
    """Version 1 of its schema, then a graph that begins with what it is for."""
    return bool(START.match(head.data))


@told
def read(file: File) -> Header:
    """The graph's tags, signatures and operators, and the variables when they are beside it."""
    message = Message(file, 0, file.size)
    tags: list[str] = []
    version, signatures = "", []
    operators: Counter[str] = Counter()
    for each in message.fields():
        if each.number == 2:
            for part in message.inner(each).fields():
                inner = message.inner(part) if part.kind == 2 else message
                if part.number == 1:
                    facts = {one.number: inner.text(one, 100) for one in inner.fields() if one.number in (4, 5)}
                    tags.append(facts.get(4, ""))
                    version = facts.get(5, version)
                elif part.number == 2:
                    _operators(inner, operators)
                elif part.number == 5:
                    signatures += [inner.text(one, 100) for one in inner.fields() if one.number == 1]
    if not tags:
        raise BrokenError("has no graph")
    tensors, needs, complete = _variables(file)
    return Header(
        TITLE,
        "1",
        tensors,
        complete=complete,
        framework=f"TensorFlow {version}".strip(),
        metadata=(
            ("tags", ", ".join(each for each in tags if each)),
            ("signatures", ", ".join(signatures[:16])),
            ("operators", ", ".join(f"{name} {count:,}" for name, count in operators.most_common(12))),
        ),
        needs=needs,
        loads=("tf.saved_model.load(folder)",),
    )


def _operators(graph: Message, found: Counter[str]) -> None:
    """Operators of a graph's nodes and of its functions' nodes."""
    for each in graph.fields():
        if each.number == 1:
            _node(graph.inner(each), found)
        elif each.number == 2:
            library = graph.inner(each)
            for function in library.fields():
                if function.number == 1:
                    inner = library.inner(function)
                    for part in inner.fields():
                        if part.number == 3:
                            _node(inner.inner(part), found)


def _node(node: Message, found: Counter[str]) -> None:
    for each in node.fields():
        if each.number == 2:
            found[node.text(each, 100)] += 1
            return


def _variables(file: File) -> tuple[tuple[Tensor, ...], tuple[Need, ...], bool]:
    there = file.has(INDEX)
    if not there:
        return (), (Need(INDEX, there, "its variables, where it has any"),) if file.folder else (), True
    with file.neighbour(INDEX) as index:
        tensors, needs, complete = bundle(index, "variables")
    found = tuple(
        Tensor(each.name, each.dtype, each.shape, each.bytes, each.offset, file=f"variables/{each.file}")
        for each in tensors
        if not each.name.startswith("_CHECKPOINTABLE") and each.dtype != "text"
    )
    return found, tuple(Need(f"variables/{each.path}", each.exists, each.why) for each in needs), complete

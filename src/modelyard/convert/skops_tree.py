"""What a pickle would make, written as the schema of a `.skops` file; nothing is made, imported or called.

Nodes: `get_state` in skops' `_general.py`, `_numpy.py`, `_scipy.py` and `_sklearn.py`. Only classes and functions that
the shipped list of vetted names knows are written; anything else is refused by its name.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

from modelyard.convert.skops_arrays import SCALAR, Array, array_of, objects_of
from modelyard.convert.stored_zip import Member
from modelyard.formats.file import BrokenError
from modelyard.formats.numpy_values import Arrays
from modelyard.formats.pickles import LONGEST_TEXT, Blob, Listed, Made, Mapping, Reference, Value
from modelyard.safety.policy import Vetted, lookup

Node = dict[str, "Node | list[Node] | str | int | bool | None"]
DEEPEST = 60
MOST_NODES = 200_000
DICTS = ("collections.OrderedDict",)
BUNCHES = ("sklearn.utils.Bunch", "sklearn.utils._bunch.Bunch")
MAKERS = {"copyreg._reconstructor": 3, "sklearn.neighbors._kd_tree.newObj": 1, "sklearn.neighbors._ball_tree.newObj": 1,
          "sklearn.metrics._dist_metrics.newObj": 1, "copyreg.__newobj__": 1}  # fmt: skip
"""Functions that make an empty object of the class they are given, and with how many arguments."""
WHOLE = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f8": "d"}
"""Numbers of numpy that may be keys of a dict, by the code of `struct`."""
MOST_READ = 64 << 20


class Schema:
    """Writes nodes, and collects the arrays that they name, each once however often it is used."""

    def __init__(self, describe: Arrays, size: int, read: Callable[[int, int], bytes]) -> None:
        self._describe, self._size, self._read = describe, size, read
        self.members: list[Member] = []
        self.sources: dict[str, Array] = {}
        """Where the elements of each member lie in the source."""
        self.classes: dict[str, None] = {}
        self._numbers: dict[int, int] = {}
        self._files: dict[int, str] = {}
        self._open: set[int] = set()
        self._kept: list[Value] = []
        """What is known by its id has to stay: another value made later could get the same one."""
        self._count = 0

    def node(self, value: Value, name: str) -> Node:
        """The node of a value that hangs at a name. BrokenError, with the name, for what cannot be expressed."""
        self._count += 1
        number = self._count
        if id(value) in self._open or len(self._open) > DEEPEST or self._count > MOST_NODES:
            raise BrokenError(f"holds itself, or more values than are followed, at {name[:80]!r}", "too-deep")
        inner = isinstance(value, Made | Mapping | Listed | tuple)
        if inner:
            self._open.add(id(value))
            self._kept.append(value)
        try:
            found = self._node(value, name)
        finally:
            self._open.discard(id(value))
        found["__id__"] = self._numbers.setdefault(id(value), number) if inner else number
        return found

    def _node(self, value: Value, name: str) -> Node:
        if value is None or isinstance(value, bool | int | float | str):
            return _plain(value, name)
        if isinstance(value, Mapping):
            return self.pairs("builtins.dict", value.pairs, name)
        if isinstance(value, tuple):
            return {**class_of("builtins.tuple", "TupleNode"), "content": self.all(value, name)}
        if isinstance(value, Listed):
            if value.kind == "frozenset":
                raise refused("a frozenset", name)
            loader = {"list": "ListNode", "set": "SetNode"}[value.kind]
            return {**class_of(f"builtins.{value.kind}", loader), "content": self.all(value.items, name)}
        if isinstance(value, Reference):
            return self._named(value.name, name)
        if isinstance(value, Made):
            return self._made(value, name)
        raise refused("bytes" if isinstance(value, bytes | Blob) else "a value", name)

    def all(self, values: tuple[Value, ...] | list[Value], name: str) -> list[Node]:
        """The nodes of values in order."""
        return [self.node(each, f"{name}.{at}") for at, each in enumerate(values)]

    def pairs(self, kind: str, pairs: list[tuple[Value, Value]], name: str) -> Node:
        """The node of a dict."""
        content: dict[str, Node] = {}
        kinds: list[Node] = []
        for key, each in pairs:
            kind_of, text = self._key(key)
            if not kind_of or text in content:
                raise refused("a dict with keys that are no texts and numbers, or the same twice", name)
            content[_text(text, name)] = self.node(each, f"{name}.{text}" if name else text)
            kinds.append(class_of(kind_of, "TypeNode"))
        listed: Node = {**class_of("builtins.list", "ListNode"), "content": kinds}
        return {**class_of(kind, "DictNode"), "content": content, "key_types": listed}  # type: ignore[dict-item]

    def _key(self, key: Value) -> tuple[str, str]:
        """The class of a key and its text, from which the class makes it again; empty for what cannot be one."""
        if isinstance(key, str):
            return "builtins.str", key
        if isinstance(key, int | float) and not isinstance(key, bool):
            return f"builtins.{type(key).__name__}", repr(key)
        if isinstance(key, Made) and key.what in SCALAR and (array := array_of(key, self._describe, self._size)):
            code = array.descr[1:] if isinstance(array.descr, str) else ""
            if code in WHOLE:
                (number,) = struct.unpack(f"{str(array.descr)[0].replace('|', '<')}{WHOLE[code]}", self.elements(array))
                return scalar_class(array, ""), repr(number)
        return "", ""

    def elements(self, array: Array) -> bytes:
        """The bytes of a small array."""
        if array.length > MOST_READ:
            raise BrokenError(f"has an array of {array.length:,} bytes where a small one is read", "too-large")
        return array.data if array.data is not None else self._read(array.offset, array.length)

    def found(self, made: Made) -> Array | None:
        """The array that an object of the pickle stands for."""
        return array_of(made, self._describe, self._size)

    def _named(self, what: str, name: str) -> Node:
        """A class or a function that is kept as a value."""
        known = vetted(what, name)
        self.classes[what] = None
        is_type = known.kind in ("type", "number", "class", "compiled class", "container") and what != "numpy.ndarray"
        return class_of(what, "TypeNode" if is_type else "FunctionNode")

    def _made(self, made: Made, name: str) -> Node:
        objects = objects_of(made, self._describe)
        if objects is not None:
            return self._objects(*objects, name)
        if (array := array_of(made, self._describe, self._size)) is not None:
            return self.array(made, array, name)
        if made.what in DICTS and made.args == () and made.state is None:
            return self.pairs(made.what, made.pairs, name)
        from modelyard.convert.skops_special import special  # late: it writes nodes with this

        return special(self, made, name) or self._object(made, name)

    def _object(self, made: Made, name: str) -> Node:
        kind = self._kind(made, name)
        if kind in BUNCHES and made.pairs and not made.items:
            return self.pairs(kind, made.pairs, name)
        if made.items or made.pairs:
            raise refused(f"a {kind}, which is filled as a container is,", name)
        found = class_of(kind, "ObjectNode")
        if made.state is not None:
            found["content"] = self.node(made.state, name)
        return found

    def _kind(self, made: Made, name: str) -> str:
        """The class of an object that is made empty. BrokenError where it is made in another way."""
        kind = made.what
        args = made.args if isinstance(made.args, tuple) else (made.args,)
        if made.what in MAKERS:
            base = args[1] if len(args) > 1 else None
            plain = len(args) == MAKERS[made.what] and isinstance(args[0], Reference)
            if not plain or (base is not None and not (isinstance(base, Reference) and base.name == "builtins.object")):
                raise refused(f"an object that {made.what} makes with arguments", name)
            kind = args[0].name if isinstance(args[0], Reference) else ""
        elif args or not made.new:
            raise refused(f"what {made.what[:120]} gives when it is called", name)
        known = vetted(kind, name)
        if "state" not in known.uses and "new" not in known.uses:
            raise refused(f"an object of {kind[:120]}", name)
        self.classes[kind] = None
        return kind

    def array(self, made: Made, array: Array, name: str) -> Node:
        """The node of an array, whose elements are a member of the archive."""
        self._kept.append(made)
        file = self._files.get(id(made))
        if file is None:
            file = self._files[id(made)] = f"{len(self.members)}.npy"
            more = array.length if array.data is None else 0
            self.members.append(Member(file, array.head + (array.data or b""), more, file if more else ""))
            self.sources[file] = array
        kind = "numpy.ndarray"
        if made.what in SCALAR:
            kind = scalar_class(array, name)
        return {**class_of(kind, "NdArrayNode"), "type": "numpy", "file": file}

    def _objects(self, shape: tuple[int, ...], items: tuple[Value, ...], name: str) -> Node:
        if not 1 <= len(shape) <= 2:
            raise refused("an array of objects with no sides or more than two", name)
        rows: list[Value] = list(items)
        if len(shape) == 2:
            rows = [Listed(list(items[at * shape[1] : (at + 1) * shape[1]])) for at in range(shape[0])]
        content = self.all(rows, name)
        sides = self.node(shape, name)
        return {**class_of("numpy.ndarray", "NdArrayNode"), "type": "json", "content": content, "shape": sides}

    def numbered(self, node: Node) -> Node:
        """A node that stands for no value of the pickle."""
        self._count += 1
        return {**node, "__id__": -self._count}


def _plain(value: bool | int | float | str | None, name: str) -> Node:
    if isinstance(value, str):
        _text(value, name)
    return {**class_of("builtins.str", "JsonNode"), "content": json.dumps(value), "is_json": True}


def _text(text: str, name: str) -> str:
    """A text that the reader of pickles did not cut. BrokenError for one that it may have."""
    if len(text.encode("utf-8", "surrogatepass")) >= LONGEST_TEXT - 4 or "\ufffd" in text:
        raise refused(f"a text of {LONGEST_TEXT - 4:,} letters or more, or of unknown letters", name)
    return text


def class_of(what: str, loader: str) -> Node:
    """The beginning of a node: the class by its whole name, and what skops loads it with."""
    module, _, kind = what.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader}


def scalar_class(array: Array, name: str) -> str:
    """The class of one number by its dtype."""
    words = {"b1": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "U": "str_", "S": "bytes_"}
    code = array.descr[1:] if isinstance(array.descr, str) else ""
    if code == "b1":
        return "numpy.bool"
    word = words.get(code[:1])
    if word is None:
        raise refused("one element of a record", name)
    return f"numpy.{word}" if word.endswith("_") else f"numpy.{word}{8 * int(code[1:])}"


def vetted(what: str, name: str) -> Vetted:
    """What is known of a name. BrokenError for one that nobody vetted."""
    module, _, kind = what.rpartition(".")
    known = lookup(module, kind)
    if not isinstance(known, Vetted):
        raise refused(f"{what[:120]}, which nobody vetted", name)
    return known


def refused(what: str, name: str) -> BrokenError:
    """The error for something that hangs at a name."""
    at = f" at {name[:120]!r}" if name else ""
    return BrokenError(f"holds {what}{at}, which cannot be written without running the pickle", "unsupported")

"""Nested values as JSON and arrays, and back: exactly the same types, keys and order, and no code.

State dicts hold integers as keys, tuples, Counters, NaN, dtypes. What cannot be expressed is an error with its path.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeAlias

from modelyard.registry.checkpoints.errors import DamagedError, UnsaveableError
from modelyard.registry.checkpoints.scalars import TAG, Json, read_scalar, scalar, tagged

DEEPEST = 100
Path: TypeAlias = "tuple[str, ...]"
Put = Callable[[Path, object], Json]
"""Takes an array and says how it is found again; None where the value is no array."""
Get = Callable[[dict[str, Json]], object]
"""The array that an object of kind `tensor` or `array` stands for."""
SEQUENCES: dict[type, str] = {tuple: "tuple", set: "set", frozenset: "frozenset"}
MAPPINGS: dict[type, str] = {dict: "dict", OrderedDict: "OrderedDict", Counter: "Counter"}
FACTORIES: dict[str, type] = {each.__name__: each for each in (int, float, str, bool, list, dict, set, tuple)}
"""What a defaultdict may make by itself."""
HINT = "numbers, texts, tensors, arrays, and lists, tuples and dicts of them can be saved; or its state_dict()"


def encode(value: object, put: Put, path: Path = ()) -> Json:
    """The JSON of a value; arrays go to `put`. UnsaveableError names the path of what cannot be expressed."""
    if value is None:
        return None
    if len(path) > DEEPEST:
        raise UnsaveableError(f"{_shown(path[:3])} is nested more than {DEEPEST} deep, or holds itself", "too-deep")
    kind = type(value)
    if kind is list:
        return [encode(each, put, (*path, str(at))) for at, each in enumerate(_as_list(value))]
    if kind in SEQUENCES:
        return tagged(SEQUENCES[kind], items=_items(value, put, path))
    if isinstance(value, deque) and kind is deque:
        return tagged("deque", items=_items(value, put, path), longest=value.maxlen)
    if isinstance(value, dict) and (kind in MAPPINGS or kind is defaultdict):
        return _encode_mapping(value, put, path)
    found = scalar(value)
    if found is None:
        found = put(path, value)
    if found is None:
        raise UnsaveableError(f"{_shown(path)} is {_kind(value)}, which no file without code can hold", "no-data", HINT)
    return found


def _as_list(value: Any) -> list[object]:
    return list(value)


def _items(value: Any, put: Put, path: Path) -> Json:
    return [encode(each, put, (*path, str(at))) for at, each in enumerate(value)]


def _encode_mapping(value: dict[Any, Any], put: Put, path: Path) -> Json:
    plain = all(type(key) is str and key != TAG and _encodes(key) for key in value)
    if type(value) is dict and plain:
        return {key: encode(each, put, (*path, key)) for key, each in value.items()}
    pairs: Json = [
        [encode(key, _no_key, (*path, "key")), encode(each, put, (*path, str(key)))] for key, each in value.items()
    ]
    if isinstance(value, defaultdict):
        factory = value.default_factory
        if factory is not None and factory not in FACTORIES.values():
            raise UnsaveableError(f"{_shown(path)} is a defaultdict that makes {factory!r}, which is code", "no-data")
        return tagged("defaultdict", items=pairs, makes=getattr(factory, "__name__", None))
    made = tagged(MAPPINGS[type(value)], items=pairs)
    versions = getattr(value, "_metadata", None)  # torch keeps there of which version each module's state is
    if versions is not None and isinstance(made, dict):
        made["versions"] = encode(versions, _no_key, (*path, "_metadata"))
    return made


def _encodes(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_key(path: Path, value: object) -> Json:
    return None


def _kind(value: object) -> str:
    kind = type(value)
    return f"a {kind.__module__}.{kind.__qualname__}"


def _shown(path: Iterable[str]) -> str:
    return ".".join(path) or "the value itself"


def decode(found: Json, get: Get, path: Path = ()) -> Any:
    """The value that `encode` wrote. DamagedError for what it would not write."""
    if isinstance(found, list):
        return [decode(each, get, (*path, str(at))) for at, each in enumerate(found)]
    if not isinstance(found, dict):
        return found
    if TAG not in found:
        return {key: decode(each, get, (*path, key)) for key, each in found.items()}
    kind = found[TAG]
    try:
        if kind in ("tensor", "array"):
            return get(found)
        if isinstance(found.get("items"), list) and kind != "torch.Size":
            return _read_items(str(kind), found, get, path)
        return read_scalar(str(kind), found)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        words = f"{_shown(path)} cannot be read ({type(error).__name__}: {error})"
        raise DamagedError(words, "damaged", "a newer modelyard may have written it") from error


def _read_items(kind: str, found: dict[str, Any], get: Get, path: Path) -> object:
    for sequence, name in SEQUENCES.items():
        if kind == name:
            return sequence(_each(found, get, path))
    if kind == "deque":
        return deque(_each(found, get, path), found["longest"])
    pairs = dict(_pairs(found["items"], get, path))
    if kind == "defaultdict":
        return defaultdict(FACTORIES[found["makes"]] if found["makes"] else None, pairs)
    made = {name: mapping for mapping, name in MAPPINGS.items()}[kind](pairs)
    if "versions" in found:
        made._metadata = decode(found["versions"], get, (*path, "_metadata"))
    return made


def _each(found: dict[str, Any], get: Get, path: Path) -> Iterator[object]:
    for at, each in enumerate(found["items"]):
        yield decode(each, get, (*path, str(at)))


def _pairs(items: Iterable[Any], get: Get, path: Path) -> Iterator[tuple[Hashable, object]]:
    for key, value in items:
        name = decode(key, get, path)
        yield name, decode(value, get, (*path, str(name)))

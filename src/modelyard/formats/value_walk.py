"""Arrays among the values of a pickle, found and named by where they hang: `encoder.layers.0.weight`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from modelyard.formats.header import Tensor
from modelyard.formats.pickles import Listed, Made, Mapping, Reference, Value

Leaf = Callable[[Made, str], Iterable[Tensor] | None]
"""The arrays that an object stands for under a name; None when it is no array."""
INSIDE = frozenset(("_parameters", "_buffers", "_modules"))
"""Where a torch module keeps what `state_dict` names without them."""
ORDERED = "collections.OrderedDict"
"""A dict that has no state but the versions of modules, which torch hangs on a `state_dict`."""
LONGEST_NAME = 400
MOST_TENSORS = 65_536


def arrays(value: Value, leaf: Leaf) -> list[Tensor]:
    """Every array below a value, in order. Containers are entered once, so that cycles end."""
    found: list[Tensor] = []
    seen: set[int] = set()
    waiting: list[tuple[str, Value]] = [("", value)]
    while waiting and len(found) < MOST_TENSORS:
        name, each = waiting.pop()
        if isinstance(each, Made) and (made := leaf(each, name)) is not None:
            found.extend(made)
        elif not isinstance(each, Made | Mapping | Listed | tuple) or id(each) in seen:
            continue
        else:
            seen.add(id(each))
            waiting.extend(reversed([(_joined(name, key), below) for key, below in _below(each)]))
    return found


def plain_values(value: Value, leaf: Leaf) -> int:
    """How many numbers and texts lie at and below a value, beside the arrays and the keys of dicts."""
    count, seen = 0, set[int]()
    waiting: list[Value] = [value]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, Made | Mapping | Listed | tuple):
            count += not isinstance(each, Reference | None)
        elif id(each) not in seen and not (isinstance(each, Made) and leaf(each, "") is not None):
            seen.add(id(each))
            waiting += _parts(each)
    return count


def _parts(value: Made | Mapping | Listed | tuple[Value, ...]) -> Iterable[Value]:
    if isinstance(value, Made):
        state = None if value.what == ORDERED else value.state
        return (value.args, state, *value.items, *(each for _, each in value.pairs))
    if isinstance(value, Mapping):
        return (each for _, each in value.pairs)
    return value.items if isinstance(value, Listed) else value


def _joined(name: str, key: str) -> str:
    return (f"{name}.{key}" if name and key else name or key)[:LONGEST_NAME]


def _below(value: Made | Mapping | Listed | tuple[Value, ...]) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        inside = any(key in INSIDE for key, _ in value.pairs if isinstance(key, str))
        for key, below in value.pairs:
            if _holds(below):
                text = _key(key)
                yield ("" if inside and text in INSIDE else text), below
    elif isinstance(value, Made):
        yield from ((str(at), each) for at, each in enumerate(value.items) if _holds(each))
        yield from ((_key(key), each) for key, each in value.pairs if _holds(each))
        state = value.state
        if (
            isinstance(state, tuple)
            and len(state) == 2
            and all(each is None or isinstance(each, Mapping) for each in state)
        ):
            yield from (("", each) for each in state if _holds(each))  # attributes, and those of slots
        elif _holds(state):
            yield "", state
        if isinstance(value.args, tuple):
            yield from ((str(at), each) for at, each in enumerate(value.args) if _holds(each))
    else:
        items = value.items if isinstance(value, Listed) else value
        yield from ((str(at), each) for at, each in enumerate(items) if _holds(each))


def _holds(value: Value) -> bool:
    return isinstance(value, Made | Mapping | Listed | tuple) and value != ()


def _key(key: Value) -> str:
    return str(key)[:LONGEST_NAME] if isinstance(key, str | int | float | bool) else "?"


def pairs_of(value: Value) -> list[tuple[Value, Value]]:
    """The pairs of a dict or of what behaves like one."""
    return value.pairs if isinstance(value, Mapping | Made) else []


def plain(value: Value) -> tuple[tuple[str, str], ...]:
    """The numbers and short texts that stand beside the arrays at the top: an epoch, a version."""
    shown = [(key, each) for key, each in pairs_of(value) if isinstance(key, str) and not key.startswith("__")]
    return tuple((key, str(each)) for key, each in shown if _short(each))[:64]


def _short(value: Value) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 200
    return isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() < 128)

"""Everything that a checkpoint is to hold, taken at one moment, before anything is written."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from modelyard import __version__
from modelyard.registry.checkpoints.errors import CheckpointError, UnsaveableError
from modelyard.registry.checkpoints.keeping import Rule
from modelyard.registry.checkpoints.nested import encode
from modelyard.registry.checkpoints.parts import state_of
from modelyard.registry.checkpoints.random_states import Generators, capture
from modelyard.registry.checkpoints.saved import FORMAT, MOST, PIN, SCHEMA, STATE, SUMS, name_of
from modelyard.registry.checkpoints.scalars import Json, scalar
from modelyard.registry.checkpoints.shelf import Writing

PART = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
EXTRA = "extra"
TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(?:json|txt|md|yaml|yml)")


class Snapshot(Struct, frozen=True):
    """A step with its parts: arrays on shelves, all else as JSON. `texts` are small files that others read."""

    step: int
    shelves: Mapping[str, Writing]
    state: Mapping[str, Json]
    texts: Mapping[str, str]

    def text(self, sizes: Mapping[str, int]) -> bytes:
        """The state as it is written. UnsaveableError for one that nobody would read."""
        found = json.dumps({**self.state, "files": dict(sizes)}, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        if len(found) > MOST:
            words = f"all that is no array takes {len(found):,} bytes as JSON, more than {MOST:,}"
            raise UnsaveableError(words, "too-large", "give long lists of numbers as arrays or tensors")
        return found


def take(
    step: int,
    parts: Mapping[str, object],
    extra: object,
    metrics: Mapping[str, object],
    generators: Generators,
    rule: Rule,
    texts: Mapping[str, str],
) -> Snapshot:
    """The states of all parts, with random states and metrics. Arrays are not copied yet.

    UnsaveableError names the path of what cannot be saved; CheckpointError for names and steps that are none.
    """
    name_of(step)
    for name in texts:
        if not TEXT.fullmatch(name) or name in (STATE, SUMS, PIN):
            raise CheckpointError(f"{name!r} is no name for a file beside the weights", "bad-name")
    states = {name: state_of(name, part) for name, part in parts.items() if part is not None}
    if extra is not None:
        states[EXTRA] = extra
    shelves: dict[str, Writing] = {}
    found: dict[str, Json] = {}
    for name, state in states.items():
        if not PART.fullmatch(name):
            raise CheckpointError(f"{name!r} is no name for a part", "bad-name", "letters, digits and _")
        shelves[name] = Writing()
        found[name] = _encoded(name, state, shelves[name])
    head: dict[str, Json] = {
        "format": FORMAT,
        "schema_version": SCHEMA,
        "step": step,
        "metrics": {name: _number(name, value) for name, value in metrics.items()},
        "keep": {"metric": rule.metric, "mode": rule.mode},
        "versions": {"modelyard": __version__, **_versions()},
    }
    return Snapshot(step, shelves, {**head, "parts": found, "random": capture(generators)}, texts)


def _encoded(name: str, state: object, shelf: Writing) -> Json:
    try:
        return encode(state, shelf.put)
    except UnsaveableError as error:
        raise UnsaveableError(f"{name}: {error.message}", error.code, error.hint) from None


def _number(name: str, value: Any) -> Json:
    """A metric as JSON: a number of Python or numpy, or a tensor of one element."""
    try:
        found = float(value.detach() if isinstance(value, _tensor()) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"metrics[{name!r}] is no number: {error}", "bad-metric") from error
    return scalar(found)


def _versions() -> dict[str, Json]:
    loaded = {name: sys.modules.get(name) for name in ("torch", "numpy", "transformers", "lightning")}
    found: dict[str, Json] = {"python": ".".join(map(str, sys.version_info[:3]))}
    return found | {name: str(getattr(each, "__version__", "")) for name, each in loaded.items() if each}


class Copies:
    """Memory for the arrays of one snapshot, used again by the next: fresh memory costs more than the copying."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Any] = {}

    def hold(self, snapshot: Snapshot) -> None:
        """Puts copies in the place of all arrays, so that training may go on changing them."""
        for part, shelf in snapshot.shelves.items():
            for name, array in shelf.arrays.items():
                shelf.arrays[name] = self._copied((part, name), array)
        names = {(part, name) for part, shelf in snapshot.shelves.items() for name in shelf.arrays}
        self._held = {key: each for key, each in self._held.items() if key in names}

    def _copied(self, key: tuple[str, str], array: Any) -> Any:
        if isinstance(array, _tensor()):
            held = self._held.get(key)
            if not isinstance(held, _tensor()) or held.shape != array.shape or held.dtype != array.dtype:
                held = sys.modules["torch"].empty(array.shape, dtype=array.dtype)
                self._held[key] = held
            return held.copy_(array)
        return array.copy()

    def free(self) -> None:
        """Gives the memory back."""
        self._held.clear()


def _tensor() -> Any:
    torch = sys.modules.get("torch")
    return torch.Tensor if torch is not None else ()

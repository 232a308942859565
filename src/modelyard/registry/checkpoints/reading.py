"""Reads a checkpoint: what is loaded is verified first, from the same bytes, and nothing in it is executed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from modelyard.registry.checkpoints.errors import CheckpointError, DamagedError
from modelyard.registry.checkpoints.nested import decode
from modelyard.registry.checkpoints.saved import (
    FORMAT,
    NEWER,
    SCHEMA,
    STATE,
    SUMS,
    content,
    metrics_of,
    name_of,
    parsed,
)
from modelyard.registry.checkpoints.scalars import Json
from modelyard.registry.checkpoints.shelf import Devices, Reading
from modelyard.registry.checkpoints.writing import SUFFIX
from modelyard.registry.errors import RegistryError
from modelyard.registry.tensors import Readable, header, mapped
from modelyard.walk.read import opened

READERS = 2
"""Files that are verified at the same time."""
LINE = re.compile(r"([0-9a-f]{64})  ([^\n/]+)")


class Loaded(Struct, frozen=True):
    """A checkpoint in memory: step, metrics, the parts that were asked for, and random states to put back."""

    path: Path
    step: int
    metrics: Mapping[str, float]
    parts: Mapping[str, object]
    random: Json


def load(path: Path, wanted: Mapping[str, bool] | None, devices: Devices) -> Loaded:
    """Verifies and reads the parts that are wanted, all of them without a wish; True for those that must be copied.

    DamagedError where a file is not what was saved, CheckpointError where a part was not saved.
    """
    sums = _sums(path)
    text = content(path, STATE)
    _verify(path, STATE, text, sums)
    state = parsed(path, text)
    schema = state.get("schema_version")
    if state.get("format") == FORMAT and isinstance(schema, int) and schema > SCHEMA:
        raise CheckpointError(f"{path} was written by a newer modelyard (schema {schema})", "newer", NEWER)
    parts = state.get("parts")
    if not isinstance(parts, dict) or name_of(state.get("step", -1)) != path.name:
        raise DamagedError(f"{path}: {STATE} has no parts or is that of another step", "damaged")
    wishes = dict.fromkeys(parts, True) if wanted is None else wanted
    _all_there(path, wishes, parts)
    files = state.get("files")
    for name in files if isinstance(files, dict) else ():
        if name not in sums:
            raise DamagedError(f"{path}: {SUMS} does not name {name}", "damaged")
    with ThreadPoolExecutor(READERS) as pool:
        shelves = list(pool.map(lambda name: _arrays(path, name, sums, devices, copy=wishes[name]), wishes))
    found = {name: decode(parts[name], shelf.get, (name,)) for name, shelf in zip(wishes, shelves, strict=True)}
    return Loaded(path, state["step"], metrics_of(state), found, state.get("random"))


def verify(path: Path) -> None:
    """DamagedError where any file of a checkpoint is not what was saved."""
    sums = _sums(path)
    for name in sums:
        try:
            with opened(os.fsencode(path / name)) as descriptor:
                _verify(path, name, mapped(descriptor), sums)
        except (OSError, ValueError) as error:
            raise DamagedError(f"{path}: {name} cannot be read: {error}", "damaged") from error


def _all_there(path: Path, wanted: Iterable[str], parts: Mapping[str, object]) -> None:
    for name in wanted:
        if name not in parts:
            held = ", ".join(parts) or "nothing"
            raise CheckpointError(f"{path} holds no {name}", "no-part", f"it holds {held}")


def _sums(path: Path) -> dict[str, str]:
    """The digests by name. DamagedError for a list that is torn."""
    found = {}
    for line in content(path, SUMS).decode("utf-8", "replace").splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            raise DamagedError(f"{path}: {SUMS} is damaged", "damaged")
        found[match[2]] = match[1]
    return found


def _verify(path: Path, name: str, data: Readable | bytes, sums: Mapping[str, str]) -> None:
    """DamagedError where the bytes are not those that were written."""
    if hashlib.sha256(data).hexdigest() != sums.get(name):
        raise DamagedError(f"{path}: {name} is not what was saved (SHA-256)", "damaged")


def _arrays(path: Path, name: str, sums: Mapping[str, str], devices: Devices, *, copy: bool) -> Reading:
    """The arrays of a part, mapped; a part without any has no file."""
    file = name + SUFFIX
    if file not in sums:
        return Reading(None, None, devices, copy=copy)
    try:
        with opened(os.fsencode(path / file)) as descriptor:
            data = mapped(descriptor)
            _verify(path, file, data, sums)
            return Reading(header(descriptor, file), data, devices, copy=copy)
    except OSError as error:
        raise DamagedError(f"{path}: {file} cannot be read: {error.strerror}", "damaged") from error
    except (RegistryError, ValueError) as error:  # ValueError: no empty file can be mapped
        raise DamagedError(f"{path}: {file}: {error}", "damaged") from error

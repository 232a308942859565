"""What lies in a folder of checkpoints: which are ours, of which step, with which metrics, and whether they look whole.

A checkpoint is a folder `step-00000123`. Order is by step alone: clocks jump, and copies have new times.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from modelyard.problem import Problem
from modelyard.registry.checkpoints.errors import CheckpointError, DamagedError
from modelyard.registry.checkpoints.nested import decode
from modelyard.walk.read import names_in, read_file
from modelyard.walk.text import shown

FORMAT, SCHEMA = "modelyard checkpoint", 1
STATE, SUMS, PIN = "state.json", "SHA256SUMS", ".modelyard-keep"
NAME = re.compile(r"step-(\d{8,18})")
MOST = 256 << 20
"""Bytes of a state: what is larger belongs into arrays."""
NEWER = "update modelyard, or give step= of an earlier one"


class Saved(Struct, frozen=True):
    """One checkpoint: where it is, its step and metrics, and what is wrong with it, if anything is."""

    path: Path
    step: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    pinned: bool = False
    trouble: str = ""
    """Why it is not whole, as far as a look without reading its tensors tells; empty where it seems to be."""
    newer: bool = False
    """Whether a newer modelyard wrote it."""


def name_of(step: int) -> str:
    """The folder of a step. CheckpointError for what is no step."""
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 10**18:
        raise CheckpointError(f"{step!r} is no step", "bad-step", "a step is a whole number from 0 on")
    return f"step-{step:08d}"


def saved_in(folder: Path) -> list[Saved]:
    """Every checkpoint of ours in a folder, by step; whatever else lies there is passed over."""
    found = (look(folder / name) for name in names_in(str(folder)) if NAME.fullmatch(name))
    return sorted((each for each in found if each is not None), key=lambda each: each.step)


def look(path: Path) -> Saved | None:
    """What a folder of that name is, None where we did not make it."""
    step, names = int(path.name.removeprefix("step-")), set(names_in(str(path)))
    if not _is_folder(path) or not {STATE, SUMS} & names:
        return None
    pinned = PIN in names
    try:
        state = read_state(path)
        metrics = metrics_of(state)
        if state.get("format") == FORMAT and state.get("step") != step:
            raise DamagedError(f"{path}: its state is that of step {state.get('step')}", "damaged")
    except DamagedError as error:
        return Saved(path, step, {}, pinned, error.message) if SUMS in names else None
    if state.get("format") != FORMAT:
        return None
    if not isinstance(state.get("schema_version"), int) or state["schema_version"] > SCHEMA:
        return Saved(path, step, {}, pinned, "a newer modelyard wrote it", newer=True)
    return Saved(path, step, metrics, pinned, _missing(path, state))


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _missing(path: Path, state: Mapping[str, Any]) -> str:
    sizes = state.get("files")
    for name, size in sizes.items() if isinstance(sizes, dict) else ():
        try:
            here = os.lstat(path / os.path.basename(name)).st_size
        except (OSError, ValueError):  # ValueError: a NUL in a name
            return f"{shown(name)} is not there"
        if here != size:
            return f"{shown(name)} has {here:,} bytes and was saved with {size}"
    return "" if isinstance(sizes, dict) else "its state names no files"


def content(path: Path, name: str) -> bytes:
    """A small file of a checkpoint. DamagedError where it cannot be read."""
    found = read_file(os.fsencode(path / name), MOST)
    if isinstance(found, Problem):
        raise DamagedError(f"{path}: {name} cannot be read: {found.message}", found.code)
    return found


def read_state(path: Path) -> dict[str, Any]:
    """The state of a checkpoint as JSON. DamagedError for what is none."""
    return parsed(path, content(path, STATE))


def parsed(path: Path, text: bytes) -> dict[str, Any]:
    """The state in these bytes. DamagedError for what is none."""
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: {STATE} is no JSON: {error}", "damaged") from error
    if not isinstance(state, dict):
        raise DamagedError(f"{path}: {STATE} is no object", "damaged")
    return state


def metrics_of(state: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a state. DamagedError for what are none."""
    found = decode(state.get("metrics", {}), _no_arrays, ("metrics",))
    if not isinstance(found, dict) or not all(isinstance(each, int | float) for each in found.values()):
        raise DamagedError("its metrics are no numbers", "damaged")
    return {name: float(value) for name, value in found.items()}


def _no_arrays(fields: object) -> object:
    raise KeyError("no array belongs here")

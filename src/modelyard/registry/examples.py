"""Examples of the input of a model: from a file, made up from its schema, and as the tensors that it takes."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelyard.problem import Problem
from modelyard.registry.calling import TENSORS, arranged
from modelyard.registry.errors import RegistryError
from modelyard.registry.metadata import Metadata, Port
from modelyard.walk.read import read_file

ROWS = 8
"""Samples of an example that is made up."""
CAP = 1 << 30
"""Bytes of a file with an example."""
LARGEST = 256 << 20
"""Numbers that an example may have."""
HINT = "give one: example_input= in Python, --example FILE.npy, .npz or .json on the command line"
UNNAMED = "arr_"
"""What numpy calls arrays of an archive that nobody named."""


def made_up(metadata: Metadata) -> Any:
    """An example of random numbers, as the schema of a version has it. RegistryError where that does not say enough."""
    who = f"{metadata.name}@{metadata.version}"
    if not metadata.inputs:
        raise RegistryError(f"{who} was saved without an example of its input", "no-example", HINT)
    random = np.random.default_rng(0)
    return arranged({each.name: _array(each, random, who) for each in metadata.inputs}, metadata.codec)


def _array(port: Port, random: np.random.Generator, who: str) -> Any:
    shape = [ROWS if each is None else each for each in port.shape]
    if not shape or np.prod(shape, dtype=float) > LARGEST:
        raise RegistryError(f"{who}: no example of {port.name!r} is made up of its schema", "no-example", HINT)
    if port.dtype.startswith(("float", "bfloat")):
        return random.normal(size=shape).astype("float32" if port.dtype == "bfloat16" else port.dtype)
    if port.dtype.startswith(("int", "uint")) or port.dtype == "bool":
        return random.integers(0, 2, shape).astype(port.dtype)
    raise RegistryError(f"{who}: nobody knows which {port.dtype} {port.name!r} takes", "no-example", HINT)


def rows_for(model: Any) -> Any:
    """Random rows of as many numbers as an estimator or a booster takes. RegistryError where it does not say so."""
    count = getattr(model, "n_features_in_", None)
    for name in ("num_features", "num_feature"):
        count = getattr(model, name)() if count is None and hasattr(model, name) else count
    if count is None or hasattr(model, "feature_names_in_"):
        raise RegistryError("it was saved without an example of its input", "no-example", HINT)
    return np.random.default_rng(0).normal(size=(ROWS, int(count))).astype(np.float32)


def as_tensors(example: Any, dtype: Any) -> Any:
    """Arrays and lists of an example as tensors, floats of them in that dtype; tensors as they are."""
    import torch

    if isinstance(example, Mapping):
        return {name: as_tensors(each, dtype) for name, each in example.items()}
    if isinstance(example, tuple):
        return tuple(as_tensors(each, dtype) for each in example)
    if not isinstance(example, np.ndarray | list):
        return example
    found = torch.from_numpy(np.ascontiguousarray(example))
    return found.to(dtype) if found.is_floating_point() else found


def read_example(path: str | os.PathLike[str], codec: str) -> Any:
    """The example in a `.npy`, `.npz` or `.json` file; nothing in it is executed. RegistryError for others."""
    name = os.fspath(path)
    try:
        found = _read(name)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RegistryError(f"{name} is no example of an input: {error}", "bad-example", HINT) from error
    return found if isinstance(found, np.ndarray) or codec in TENSORS else _arranged(found, codec)


def _arranged(found: Any, codec: str) -> Any:
    return arranged(found, codec) if isinstance(found, dict) else found


def _read(name: str) -> Any:
    data = read_file(os.fsencode(name), CAP, follow=True)
    if isinstance(data, Problem):
        raise ValueError(data.message)
    if name.endswith(".json"):
        value = json.loads(data)
        return {str(key): np.asarray(each) for key, each in value.items()} if isinstance(value, dict) else _rows(value)
    found = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(found, np.ndarray):
        return found
    with found:
        arrays = {key: found[key] for key in found.files}
    if all(key.startswith(UNNAMED) for key in arrays):
        return next(iter(arrays.values())) if len(arrays) == 1 else tuple(arrays.values())
    return arrays


def _rows(value: Sequence[Any]) -> Any:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of samples, or an object of lists, is wanted")
    return np.asarray(value)

"""Arrays, tensors, and nested dicts, lists and tuples of them with plain values: safetensors and a little JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.apply.folder import Folder
from modelyard.registry.blocks import is_array, is_tensor
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.nesting import flatten, unflatten
from modelyard.registry.tensors import write
from modelyard.registry.weights import WEIGHTS, kind_of
from modelyard.registry.weights import load as load_weights

NAME = "arrays"


def takes(model: Any) -> bool:
    """Arrays, tensors, and what is nested of them."""
    return is_tensor(model) or is_array(model) or isinstance(model, Mapping) or type(model) in (list, tuple)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """One safetensors file, and how it was nested."""
    tree, tensors = flatten(model)
    if not tensors:
        raise RegistryError("there is no array in it", "no-tensor", "plain values belong into extra=")
    torch = {name for name, each in tensors.items() if is_tensor(each)}
    with to.stream(WEIGHTS) as stream:
        write(stream, tensors, {"format": "pt" if torch else "np"})
    arrays = sorted(set(tensors) - torch) if torch else []
    config = {"structure": tree, "kind": "torch" if torch else "numpy", "arrays": arrays}
    return Saved("PyTorch" if torch else "NumPy", ("torch",) if torch else ("numpy",), config)


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """As it was saved: tensors as tensors, arrays as arrays."""
    config = read_config(files)
    kind = config.get("kind") or kind_of(files)
    tensors = load_weights(files, wish, "torch" if kind == "torch" else "numpy")
    names = config.get("arrays")
    for name in names if isinstance(names, list) else []:
        tensors[name] = tensors[name].numpy()
    return unflatten(config["structure"], tensors) if "structure" in config else tensors


def run(model: Any, example: Any) -> Any:
    """Arrays answer nothing."""
    raise RegistryError("arrays have no input", "no-input", "leave example_input= away")

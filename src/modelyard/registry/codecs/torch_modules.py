"""PyTorch modules: the state dict as safetensors, and what it takes to build the module again.

With `allow_pickle=True` whole modules are pickled by torch.save, and loaded again only with the same words.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

import torch

from modelyard.apply.folder import Folder
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.nesting import flatten, unflatten
from modelyard.registry.pickles import allowed
from modelyard.registry.recipes import build, recipe_of
from modelyard.registry.tensors import write
from modelyard.registry.weights import WEIGHTS
from modelyard.registry.weights import load as load_weights

NAME = "torch"
PICKLED = "model.pt"


def takes(model: Any) -> bool:
    """Every module."""
    return isinstance(model, torch.nn.Module)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """The weights, each tied tensor once, and a recipe that was tried: built again it has the same state."""
    if wish.allow_pickle:
        with to.stream(PICKLED) as stream:
            torch.save(model, cast(IO[bytes], stream))
        return Saved("PyTorch", ("torch",))
    recipe = recipe_of(model, wish.config)
    state = model.state_dict()
    kept, tied = untied(state)
    other, tensors = flatten({name: each for name, each in kept.items() if not isinstance(each, torch.Tensor)}, "")
    with to.stream(WEIGHTS) as stream:
        plain = {name: each for name, each in kept.items() if isinstance(each, torch.Tensor)}
        write(stream, {**plain, **tensors}, {"format": "pt", **tied})
    config = {**recipe, "tied": tied, "frozen": _frozen(model), "training": model.training}
    if other != {"dict": {}}:
        config["other"] = other
    return Saved("PyTorch", ("torch",), config)


def untied(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A state dict with each tensor under its first name, and other names of the same elements by the name kept."""
    kept: dict[str, Any] = {}
    first: dict[tuple[Any, ...], str] = {}
    tied: dict[str, str] = {}
    for name, each in state.items():
        if isinstance(each, torch.Tensor) and each.layout is torch.strided and each.numel():
            key = (each.device, each.data_ptr(), each.dtype, tuple(each.shape), each.stride())
            if each.data_ptr() and first.setdefault(key, name) != name:
                tied[name] = first[key]
                continue
        kept[name] = each
    return kept, tied


def _frozen(model: Any) -> list[str]:
    return [name for name, each in model.named_parameters(remove_duplicate=False) if not each.requires_grad]


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The module: its class is built again where that is allowed, then given the weights as they lie in the file."""
    if files.has(PICKLED):
        data = allowed(files, PICKLED, wish)
        return torch.load(io.BytesIO(data), map_location=wish.device, weights_only=False)
    config = read_config(files)
    state = load_weights(files, wish, "torch")
    tied = config.get("tied", {})
    if not isinstance(tied, dict) or not set(tied.values()) <= set(state):
        raise RegistryError(f"{files.shown(WEIGHTS)}: names of tied tensors lead nowhere", "damaged-config")
    if "other" in config:
        rest = unflatten(config["other"], state)
        for name in _tensor_names(config["other"]):
            del state[name]
        state.update(rest)
    state.update({name: state[kept] for name, kept in tied.items()})
    model = build(config, wish.trusted, state)
    _tie(model, tied)
    frozen = set(config.get("frozen", ()))
    for name, each in model.named_parameters(remove_duplicate=False):
        each.requires_grad_(name not in frozen and each.is_floating_point())
    model.train(bool(config.get("training")))
    return model if wish.device is None else model.to(device=wish.device)


def _tie(model: Any, tied: Mapping[str, str]) -> None:
    """Makes tied parameters one object again: two of the same elements would be trained twice."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, kept in tied.items():
        if name in parameters and kept in parameters:
            above, _, last = name.rpartition(".")
            setattr(model.get_submodule(above), last, parameters[kept])


def _tensor_names(tree: Any) -> Iterator[str]:
    ((kind, inside),) = tree.items()
    if kind == "tensor":
        yield inside
    elif kind == "dict":
        for each in inside.values():
            yield from _tensor_names(each)
    elif kind == "pairs":
        for _, each in inside:
            yield from _tensor_names(each)
    elif kind in ("list", "tuple"):
        for each in inside:
            yield from _tensor_names(each)


def run(model: Any, example: Any) -> Any:
    """The forward pass as in use, without gradients; the module is left in the mode that it had."""
    modes = [(each, each.training) for each in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            if isinstance(example, Mapping):
                return model(**example)
            return model(*example) if isinstance(example, tuple) else model(example)
    finally:
        for each, mode in modes:
            each.training = mode

"""How a module is built again: its class, constructor arguments, and for containers the modules inside."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from modelyard.registry.classes import find, path_of
from modelyard.registry.errors import RegistryError

Recipe = dict[str, Any]
CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)
PLACES = ("device", "dtype")
"""Arguments of layers that say where, not what: the weights tell."""
MISSING = object()
DEEPEST = 64


def recipe_of(model: Any, config: Mapping[str, Any] | None) -> Recipe:
    """A recipe that was tried: what it builds has the state and the text of the model. RegistryError where none does.

    `config` are the arguments of its constructor. Without them: what the class recorded (`hparams`,
    `_hub_mixin_config`), or its attributes of the same names.
    """
    recipe = _recipe(model, config, 0)
    try:
        again = _first(recipe, [type(each) for each in model.modules()])
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError, NotImplementedError) as error:
        raise RegistryError(f"{path_of(type(model))} cannot be built again: {error}", "no-recipe", HINT) from error
    if differs := _differs(model, again):
        raise RegistryError(f"{path_of(type(model))}, built again, {differs}", "no-recipe", HINT)
    return recipe


HINT = "give the arguments of its constructor as config={...}, or save model.state_dict()"


def _differs(model: Any, again: Any) -> str:
    ours, theirs = ({name: _shape(each) for name, each in one.state_dict().items()} for one in (model, again))
    if ours != theirs:
        name = next(name for name in [*ours, *theirs] if ours.get(name, MISSING) != theirs.get(name, MISSING))
        return f"has another {name!r}: {theirs.get(name, 'none')} for {ours.get(name, 'none')}"
    return "" if repr(model) == repr(again) else "describes itself otherwise"


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__


def _recipe(model: Any, config: Mapping[str, Any] | None, depth: int) -> Recipe:
    if depth > DEEPEST:
        raise RegistryError("its modules are nested too deep", "too-deep", HINT)
    if config is None and type(model) in CONTAINERS:
        below = {name: _recipe(each, None, depth + 1) for name, each in model.named_children()}
        return {"class": path_of(type(model)), "modules": below}
    return {"class": path_of(type(model)), "arguments": dict(config) if config is not None else _recorded(model)}


def _recorded(model: Any) -> dict[str, Any]:
    """Arguments that the class kept by itself."""
    for name in ("_hub_mixin_config", "hparams"):
        found = getattr(model, name, None)
        if isinstance(found, Mapping) and found:
            return dict(found)
    arguments = {}
    for name, each in inspect.signature(type(model).__init__).parameters.items():
        if name in ("self", *PLACES) or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        value = _kept(getattr(model, name, MISSING))
        if value is not MISSING:
            arguments[name] = value
        elif each.default is each.empty:
            path = path_of(type(model))
            raise RegistryError(f"the constructor of {path} needs {name!r}, which it does not keep", "no-recipe", HINT)
    return arguments


def _kept(value: Any) -> Any:
    """An attribute as an argument: a bias tells whether there is one; MISSING for what JSON has not."""
    if isinstance(value, torch.Tensor):
        return True
    if isinstance(value, tuple):
        value = list(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return MISSING
    return value


def build(recipe: Mapping[str, Any], trusted: Sequence[Any], state: Mapping[str, Any]) -> Any:
    """The module of a recipe with a state, whose tensors it takes as they are. RegistryError where it does not fit.

    Built without memory first, then given the tensors; a class that cannot be built so, or that keeps tensors outside
    of its state, is built in the usual way.
    """
    model = _first(recipe, trusted)
    _give(model, state)
    if _left(model):
        with torch.random.fork_rng(devices=[]):
            model = _build(recipe, trusted)
        _give(model, state)
    return model


def _first(recipe: Mapping[str, Any], trusted: Sequence[Any]) -> Any:
    """The module without memory where that can be; the random numbers of a training go on as if nothing had been."""
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return _build(recipe, trusted)
        except (RuntimeError, NotImplementedError):
            return _build(recipe, trusted)


def _give(model: Any, state: Mapping[str, Any]) -> None:
    try:
        model.load_state_dict(dict(state), strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise RegistryError(f"its weights do not fit {path_of(type(model))}: {error}", "damaged-config") from error


def _left(model: Any) -> bool:
    """Whether something is still without memory: a buffer outside of the state, a tensor kept as an attribute."""
    tensors = [*model.parameters(), *model.buffers()]
    for each in model.modules():
        for value in vars(each).values():
            inside = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            )
            tensors += [one for one in inside if isinstance(one, torch.Tensor)]
    return any(each.is_meta for each in tensors)


def _build(recipe: Mapping[str, Any], trusted: Sequence[Any], depth: int = 0) -> Any:
    path = recipe.get("class")
    if not isinstance(path, str) or depth > DEEPEST:
        raise RegistryError("the recipe of the module names no class", "damaged-config")
    kind = find(path, torch.nn.Module, trusted)
    if "modules" not in recipe:
        arguments = recipe.get("arguments", {})
        return kind(**arguments) if isinstance(arguments, dict) else kind(*arguments)
    below = {name: _build(each, trusted, depth + 1) for name, each in recipe["modules"].items()}
    if issubclass(kind, torch.nn.ModuleList):
        return kind(list(below.values()))
    if issubclass(kind, torch.nn.ModuleDict):
        return kind(below)
    made: Any = kind()
    for name, each in below.items():
        made.add_module(name, each)
    return made

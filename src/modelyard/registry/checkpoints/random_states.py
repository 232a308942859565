"""The states of random numbers: Python's, numpy's and torch's own, those of devices, and generators that are given.

Only what is imported is asked: who never used torch has no state of torch.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from modelyard.registry.checkpoints.errors import CheckpointError, DamagedError
from modelyard.registry.checkpoints.nested import decode, encode
from modelyard.registry.checkpoints.scalars import Json
from modelyard.registry.checkpoints.shelf import Inline, Reading

OURS = ("python", "numpy", "torch", "cuda", "mps")
Generators = Mapping[str, object]


def capture(generators: Generators) -> Json:
    """All states as they are now. CheckpointError for a generator of a kind that is not known."""
    found: dict[str, object] = {"python": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        found["numpy"] = numpy.random.get_state(legacy=False)
    if torch := sys.modules.get("torch"):
        found["torch"] = torch.get_rng_state()
        if torch.cuda.is_available():
            found["cuda"] = torch.cuda.get_rng_state_all()
        if torch.backends.mps.is_available():
            found["mps"] = torch.mps.get_rng_state()
    found["generators"] = {name: _state(name, each) for name, each in generators.items()}
    return encode(found, Inline.put, ("random",))


def restore(states: Json, generators: Generators) -> None:
    """Puts every state back, into given generators too. CheckpointError for a generator that was not saved."""
    found = decode(states, Reading(None, None, None, copy=True).get, ("random",))
    if not isinstance(found, dict) or not isinstance(found.get("generators"), dict) or "python" not in found:
        raise DamagedError("it holds no random states", "damaged")
    try:
        _restore(found, generators)
    except (TypeError, ValueError, RuntimeError, KeyError) as error:
        raise DamagedError(f"its random states cannot be put back: {error}", "damaged") from error


def _restore(found: Mapping[str, Any], generators: Generators) -> None:
    given = found["generators"]
    for name in generators:
        if name not in given:
            raise CheckpointError(f"no generator {name!r} was saved", "no-part", f"saved were: {_listed(given)}")
    for name, each in generators.items():
        _put_back(name, each, given[name])
    random.setstate(found["python"])
    if "numpy" in found:
        import numpy

        numpy.random.set_state(found["numpy"])
    if "torch" in found:
        import torch

        torch.set_rng_state(found["torch"])
        _restore_devices(torch, found)


def _restore_devices(torch: Any, found: Mapping[str, Any]) -> None:
    cuda = found.get("cuda", [])
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if len(cuda) != here:
        words = f"random states of {len(cuda)} CUDA devices were saved and {here} are here: dropout there will differ"
        warnings.warn(words, stacklevel=5)
    if cuda and here:
        torch.cuda.set_rng_state_all(cuda[:here])
    if "mps" in found and torch.backends.mps.is_available():
        torch.mps.set_rng_state(found["mps"])


def _state(name: str, each: Any) -> object:
    """What a generator tells of itself; its kind comes first."""
    if isinstance(each, random.Random):
        return ["random.Random", each.getstate()]
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy and isinstance(each, numpy.random.Generator):
        return ["numpy.random.Generator", each.bit_generator.state]
    if numpy and isinstance(each, numpy.random.RandomState):
        return ["numpy.random.RandomState", each.get_state(legacy=False)]
    if torch and isinstance(each, torch.Generator):
        return ["torch.Generator", each.get_state()]
    raise CheckpointError(f"generators[{name!r}] is no generator of Python, numpy or torch", "no-generator")


def _put_back(name: str, each: Any, saved: Any) -> None:
    kind, state = saved
    if kind != _state(name, each)[0]:  # type: ignore[index]
        raise CheckpointError(f"generators[{name!r}] was a {kind} when it was saved", "no-generator")
    if kind == "random.Random":
        each.setstate(state)
    elif kind == "numpy.random.Generator":
        each.bit_generator.state = state
    else:
        each.set_state(state)


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"

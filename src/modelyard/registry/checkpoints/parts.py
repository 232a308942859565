"""What objects tell of their state and take back: a model, an optimizer, a scheduler, or dicts and lists of them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from modelyard.registry.checkpoints.errors import CheckpointError

HINT = "give an object with state_dict() and load_state_dict(), or a dict or list of such; plain values go into extra="


class Taken:
    """A state that somebody else has taken already, as an object that keeps it."""

    def __init__(self, state: object) -> None:
        self._state = state

    def state_dict(self) -> object:
        """The state."""
        return self._state


def state_of(name: str, part: Any) -> object:
    """The state of an object, or of every object in a dict or list. CheckpointError for what keeps no state."""
    if hasattr(part, "state_dict"):
        return part.state_dict()
    if isinstance(part, Mapping):
        return {key: state_of(f"{name}.{key}", each) for key, each in part.items()}
    if isinstance(part, Sequence) and not isinstance(part, str | bytes):
        return [state_of(f"{name}.{at}", each) for at, each in enumerate(part)]
    raise CheckpointError(f"{name} is of type {type(part).__name__}, which keeps no state", "no-state", HINT)


def load_into(name: str, part: Any, state: Any) -> None:
    """Gives every object its state back, in place. CheckpointError where the two are not alike."""
    if hasattr(part, "load_state_dict"):
        _load(name, part, state)
    elif isinstance(part, Mapping):
        if not isinstance(state, Mapping) or set(part) != set(state):
            raise CheckpointError(f"{name} has other names than were saved: {_names(state)}", "mismatch")
        for key, each in part.items():
            load_into(f"{name}.{key}", each, state[key])
    elif isinstance(part, Sequence) and not isinstance(part, str | bytes):
        if not isinstance(state, list) or len(part) != len(state):
            raise CheckpointError(f"{name} has {len(part)} members and other ones were saved", "mismatch")
        for at, (each, one) in enumerate(zip(part, state, strict=True)):
            load_into(f"{name}.{at}", each, one)
    else:
        raise CheckpointError(f"{name} is of type {type(part).__name__}, which takes no state", "no-state", HINT)


def _load(name: str, part: Any, state: object) -> None:
    try:
        part.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        words = f"{name} does not fit what was saved: {error}"
        raise CheckpointError(words, "mismatch", "build it as it was built when it was saved") from error


def copies(part: object) -> bool:
    """Whether it copies a state into memory of its own, as torch's modules do; others may keep what they are given."""
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(part, torch.nn.Module)


def fill(extra: object, saved: object) -> None:
    """Lets a dict hold what was saved as `extra`, in place. CheckpointError for what is no dict."""
    if not isinstance(extra, MutableMapping) or not isinstance(saved, Mapping):
        raise CheckpointError("extra= of resume is a dict that is filled with the dict that was saved", "mismatch")
    extra.clear()
    extra.update(saved)


def _names(state: object) -> str:
    return ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__

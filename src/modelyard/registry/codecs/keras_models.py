"""Keras: `.keras` archives, whose configuration is scanned before it is followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import keras
import msgspec

from modelyard.apply.folder import Folder
from modelyard.formats.file import BrokenError, File, Meter
from modelyard.formats.zips import directory, opened
from modelyard.registry.classes import path_of, vouched
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.errors import RegistryError, UnsafeError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.pickles import refuse

NAME = "keras"
MODEL = "model.keras"
OWN = ("keras.", "builtins.")
CONFIG_CAP = 8 << 20


def takes(model: Any) -> bool:
    """Keras models."""
    return isinstance(model, keras.Model)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """One archive. RegistryError for what Keras cannot write."""
    try:
        model.save(os.fsdecode(to.place(MODEL)))
    except (ValueError, TypeError, NotImplementedError) as error:
        raise RegistryError(f"Keras cannot save it: {error}", "unsupported") from error
    to.take(MODEL)
    return Saved("Keras", ("keras", keras.backend.backend()))


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The model, in Keras' safe mode. UnsafeError for classes that nobody vouches for, and for code in the file."""
    data = bytes(files.content(MODEL))
    refuse(data, MODEL, files.shown(MODEL))
    foreign = sorted(set(_foreign(data, files.shown(MODEL))))
    unknown = [each for each in foreign if not vouched(each, wish.trusted)]
    if unknown:
        hint = f"look at them, and vouch for them: trusted={unknown[:8]!r}"
        raise UnsafeError(f"loading {files.shown(MODEL)} would build {', '.join(unknown[:8])}", "untrusted-class", hint)
    given = {name: each for each in wish.trusted if isinstance(each, type) for name in (each.__name__, path_of(each))}
    path = files.copied({MODEL: MODEL}) / MODEL
    try:
        return keras.saving.load_model(path, custom_objects=given, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise RegistryError(f"{files.shown(MODEL)}: {error}", "damaged") from error


def _foreign(data: bytes, where: str) -> Iterator[str]:
    """Classes of other packages that the configuration would make."""
    archive = File(where, len(data), lambda at, length: data[at : at + length], Meter())
    try:
        member = directory(archive).find("config.json")
        if member is None:
            raise RegistryError(f"{where}: has no configuration", "damaged")
        waiting = [msgspec.json.decode(opened(archive, member).whole(CONFIG_CAP))]
    except (BrokenError, msgspec.DecodeError) as error:
        raise RegistryError(f"{where}: {error}", "damaged") from error
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            module, kind, registered = node.get("module"), node.get("class_name"), node.get("registered_name")
            if isinstance(kind, str) and not f"{module or 'keras'}.".startswith(OWN):
                yield f"{module}.{kind}"
            elif isinstance(kind, str) and isinstance(registered, str) and ">" in registered:
                yield registered.replace(">", ".")


def run(model: Any, example: Any) -> Any:
    """Its answer to a batch."""
    found = model(example, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, found)

"""HDF5, the older form of Keras models: groups of arrays, and the configuration as an attribute.

How Keras uses it: `keras/src/legacy/saving/legacy_h5_format.py` and `saving/saving_lib.py`.
"""

from __future__ import annotations

from typing import Any

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.hdf5_objects import MAGIC, Hdf5
from modelyard.formats.hdf5_values import array_of, texts
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head

TITLE = "HDF5"
DEEPEST = 64
MOST_TENSORS = 32_768


def sniff(head: Head) -> bool:
    """Its signature, also behind a block of the user's own."""
    return any(head.data[at : at + 8] == MAGIC for at in (0, *(512 << shift for shift in range(8))))


@told
def read(file: File) -> Header:
    """Every array below the root, by its path, and what Keras writes beside them."""
    found = Hdf5(file)
    top = found.messages(found.root)
    facts = texts(top, found)
    tensors: list[Tensor] = []
    others: dict[str, None] = {}
    waiting = [("", found.root, 0)]
    seen = {found.root}
    while waiting and len(tensors) < MOST_TENSORS:
        name, address, depth = waiting.pop()
        messages = found.messages(address)
        tensor = array_of(name, messages, found)
        if tensor:
            tensors.append(tensor)
            continue
        inner = []
        for link in found.links(messages):
            if link.file:
                others[link.file] = None
            if link.address is not None and link.address not in seen and depth < DEEPEST:
                seen.add(link.address)
                inner.append((f"{name}/{link.name}".lstrip("/"), link.address, depth + 1))
        waiting += reversed(inner)
    return _header(file, found, tensors, facts, list(others))


def _header(file: File, found: Hdf5, tensors: list[Tensor], facts: dict[str, str], others: list[str]) -> Header:
    config = facts.pop("model_config", "")
    facts.pop("training_config", None)
    version, backend = facts.get("keras_version", ""), facts.get("backend", "")
    keras = version or config or any(each.name.startswith(("layers/", "_layer_checkpoint")) for each in tensors)
    return Header(
        "Keras HDF5" if keras else TITLE,
        str(found.version),
        tuple(tensors),
        complete=found.base + found.end <= file.size,
        architecture=_class(config),
        framework=f"Keras {version}".strip() + (f" on {backend}" if backend else "") if keras else "",
        metadata=tuple((name, value[:200]) for name, value in facts.items()),
        needs=tuple(Need(each, file.has(each), "a link leads into it") for each in others[:64]),
        loads=(("keras.models.load_model(path)",) if config else ("model.load_weights(path)",))
        if keras
        else ("h5py.File(path)",),
        notes=("some groups keep their names in a form that is not read",) if found.dense else (),
    )


def _class(config: str) -> str:
    """The class and name of the model in its configuration."""
    if not config:
        return ""
    try:
        told_config = decode(config.encode(), dict[str, Any])
    except BrokenError:
        return ""
    inner = told_config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    words = (told_config.get("class_name"), name)
    return " ".join(each for each in words if isinstance(each, str))[:200]

"""The weights of a version: loaded as views of the mapped file, or of a private copy that was digested."""

from __future__ import annotations

from typing import Any

from modelyard.registry.codec import Loading
from modelyard.registry.held import Held
from modelyard.registry.tensors import Kind, header, mapped, read

WEIGHTS = "model.safetensors"


def load(files: Held, wish: Loading, kind: Kind, name: str = WEIGHTS) -> dict[str, Any]:
    """Tensors by name, on the device and in the dtype that are wished. RegistryError for a damaged file."""
    descriptor = files.descriptor(name)
    if wish.mmap:
        if wish.verify:
            files.check(name)
        found = read(header(descriptor, files.shown(name)), mapped(descriptor), kind)
    else:
        table = header(descriptor, files.shown(name))
        found = read(table, files.memory(name), kind)
    return {key: _moved(value, wish) for key, value in found.items()} if kind == "torch" else found


def kind_of(files: Held, name: str = WEIGHTS) -> Kind:
    """What wrote a file that nobody describes: torch says so in its texts."""
    texts = dict(header(files.descriptor(name), files.shown(name)).metadata)
    return "torch" if texts.get("format") == "pt" else "numpy"


def _moved(value: Any, wish: Loading) -> Any:
    """A tensor elsewhere and in another dtype, where that is wished; whole numbers keep theirs."""
    dtype = wish.dtype if value.is_floating_point() else None
    return value.to(device=wish.device, dtype=dtype) if wish.device is not None or dtype is not None else value

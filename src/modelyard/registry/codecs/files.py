"""Model files from the disk, taken as they are: a copy that is digested and verified like everything else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from modelyard.apply.folder import Folder
from modelyard.formats.header import Header
from modelyard.problem import Problem
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.errors import RegistryError, UnsafeError, raised
from modelyard.registry.foreign import ForeignFile
from modelyard.registry.held import Held
from modelyard.registry.layout import is_inside
from modelyard.registry.metadata import Metadata
from modelyard.safety.files import scan_file
from modelyard.safety.finding import worst
from modelyard.walk.read import opened

NAME = "file"
KNOWN = {
    "safetensors": ("model.safetensors", "arrays", "safetensors"),
    "ONNX": ("model.onnx", "onnx", "ONNX"),
    "skops": ("model.skops", "sklearn", "scikit-learn"),
    "Keras": ("model.keras", "keras", "Keras"),
    "CatBoost": ("model.cbm", "catboost", "CatBoost"),
    "LightGBM": ("model.txt", "lightgbm", "LightGBM"),
}
"""By what headers call a format: the name that its file gets, the codec that loads it, the framework."""


def takes(model: Any) -> bool:
    """A path, or a file that another program keeps."""
    return isinstance(model, Path | ForeignFile)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """A copy of a file of a known format, and of the files that it needs. RegistryError for others.

    What is or holds a pickle is refused without `allow_pickle`.
    """
    from modelyard.formats.known import read_header

    foreign = model if isinstance(model, ForeignFile) else None
    path = os.path.abspath(foreign.path if foreign else model)
    header = read_header(path)
    if isinstance(header, Problem):
        raise raised(header)
    if not header.complete:
        raise RegistryError(f"{path} ends before its last tensor", "truncated", "get or make it again")
    refuse_code(path, wish, foreign)
    name, codec, framework = KNOWN.get(header.format, (os.path.basename(path), NAME, header.format))
    if foreign:
        name, codec, framework = foreign.inside, foreign.codec, foreign.framework
    needs = {**_needs(path, header), **(foreign.beside if foreign else {})}
    for inside, full in {name: path, **needs}.items():
        with opened(os.fsencode(full), follow=True) as descriptor:
            to.copy(inside, descriptor)
    if foreign:
        return Saved(framework, config=foreign.config, codec=codec)
    return Saved(header.framework or framework, codec=codec)


def refuse_code(path: str, wish: Saving, foreign: ForeignFile | None = None) -> None:
    """UnsafeError for a pickle unless it is allowed; for what is dangerous always where it comes from elsewhere."""
    found = scan_file(path)
    worse = [each for each in found.findings if each.severity != "safe"]
    if foreign and worst(each.severity for each in worse) == "dangerous":
        message = f"loading {path} is dangerous: {worse[0].runs}"
        raise UnsafeError(message, "dangerous", "no flag takes it; `modelyard scan` tells more")
    pickled = "pickle" in found.format or "joblib" in found.format or "PyTorch" in found.format
    pickled = pickled or bool(foreign and foreign.pickled)
    if (worse or pickled) and not wish.allow_pickle:
        why = f"{worse[0].runs} ({worse[0].severity})" if worse else f"{found.format}, which loads by unpickling"
        hint = "`modelyard convert` makes a safe copy of its tensors; allow_pickle=True keeps it as it is"
        raise UnsafeError(f"loading {path} may execute code: {why}", "needs-pickle", hint)


def _needs(path: str, header: Header) -> dict[str, str]:
    """The files beside it that it is no model without, by the path that it calls them."""
    found = {}
    for each in header.needs:
        if not is_inside(each.path) or not each.exists:
            raise RegistryError(f"{path} needs {each.path!r}, which is not beside it", "missing-file")
        found[each.path] = os.path.join(os.path.dirname(path), each.path)
    return found


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """Nothing here makes an object of it."""
    hint = f"`modelyard registry load {metadata.name}@{metadata.version} --to DIR` copies the verified files"
    raise RegistryError(f"{metadata.framework} files are kept, not loaded", "no-codec", hint)


def run(model: Any, example: Any) -> Any:
    """A file answers nothing."""
    raise RegistryError("a file has no input", "no-input", "leave example_input= away")

"""Classes that files name: which of them may be imported and called, and which only when the caller vouches for them.

A name in a JSON file chooses what is imported (which runs the code of a module) and what is called with arguments of
the file. A class of an installed package is no proof of harm or of harmlessness: some constructors download code and
run it when an argument tells them to. So only the layers of torch.nn and the models of torchvision are rebuilt by
themselves; everything else needs `trusted=`: a class, or the name of a class, a module or a package.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

from modelyard.registry.errors import RegistryError, UnsafeError

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
HARMLESS = ("torch.nn.modules.", "torchvision.models.")
"""Modules whose classes only compute with their arguments."""


def path_of(kind: type) -> str:
    """The name by which a class is found again."""
    return f"{kind.__module__}.{kind.__qualname__}"


def find(path: str, base: type, trusted: Sequence[Any]) -> type:
    """The class of that name, of a certain base. UnsafeError where nobody vouches for it."""
    found = next((each for each in trusted if isinstance(each, type) and path_of(each) == path), None)
    if found is None:
        if not _trusts(path, [each for each in trusted if isinstance(each, str)]):
            hint = f"vouch for it: trusted=[{path.rpartition('.')[2]}] or trusted=[{path.rpartition('.')[0]!r}]"
            raise UnsafeError(f"loading would import and call {path[:200]}", "untrusted-class", hint)
        found = _imported(path)
    if not isinstance(found, type) or not issubclass(found, base) or path_of(found) != path:
        raise UnsafeError(f"{path[:200]} is no {base.__name__}", "untrusted-class", "the file names something else")
    return found


def vouched(path: str, trusted: Sequence[Any]) -> bool:
    """Whether somebody vouches for a name: by the class, or by its name or that of a module or package around it."""
    names = [each if isinstance(each, str) else path_of(each) for each in trusted]
    return any(path == each or path.startswith(f"{each}.") for each in names)


def _trusts(path: str, names: Sequence[Any]) -> bool:
    if NAME.fullmatch(path) is None or len(path) > 400:
        raise RegistryError(f"{path[:80]!r} is no name of a class", "damaged-config")
    return path.startswith(HARMLESS) or vouched(path, names)


def _imported(path: str) -> Any:
    """What a name means: the longest part of it that is a module, and attributes below."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
                continue
            raise RegistryError(f"{module} needs {error.name}, which is not installed", "not-installed") from error
        for each in parts[cut:]:
            found = getattr(found, each, None)
        return found
    raise RegistryError(f"{parts[0]} is not installed, and {path} is in it", "not-installed", f"install {parts[0]}")

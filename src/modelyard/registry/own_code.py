"""Imports modules from the `code/` of a version while it is loaded, which a caller has to ask for: it executes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

from modelyard.registry.held import Held
from modelyard.registry.layout import CODE

SUFFIX, PACKAGE = ".py", "/__init__.py"


class _Module(InspectLoader):
    """One module, from bytes that were verified; its file is never opened again."""

    def __init__(self, path: str, source: bytes, is_package: bool) -> None:
        self._path, self._source, self._is_package = path, source, is_package

    def get_source(self, fullname: str) -> str:
        return self._source.decode()

    def is_package(self, fullname: str) -> bool:
        return self._is_package

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        return compile(self._source, self._path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, modules: Mapping[str, _Module]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = self._modules.get(fullname)
        return None if found is None else spec_from_loader(fullname, found)


@contextmanager
def importable(files: Held) -> Iterator[list[str]]:
    """The names of the modules and packages in `code/`, which can be imported meanwhile, before others of that name.

    What was imported stays so; modules of that name that are there already are left alone.
    """
    modules = dict(_modules(files))
    finder = _Finder(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield sorted({name.partition(".")[0] for name in modules})
    finally:
        sys.meta_path[:] = [each for each in sys.meta_path if each is not finder]


def _modules(files: Held) -> Iterator[tuple[str, _Module]]:
    for name in files.entries:
        if name.startswith(f"{CODE}/") and name.endswith(SUFFIX):
            inside = name.removeprefix(f"{CODE}/")
            is_package = inside.endswith(PACKAGE)
            path = inside.removesuffix(PACKAGE if is_package else SUFFIX).replace("/", ".")
            yield path, _Module(files.shown(name), bytes(files.content(name)), is_package)

"""Walks installed packages and says of each class whether unpickling it can only set attributes."""

from __future__ import annotations

import contextlib
import enum
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import NamedTuple

from .reviewed import (
    COMPILED,
    DEL,
    GETATTR,
    GETATTRIBUTE,
    LEFT_OUT,
    NAMES_OF,
    NEVER_BELOW,
    NOT_HERE,
    SETATTR,
    SETSTATE,
)

BASIC = {"builtins.object", "builtins.dict", "builtins.list", "builtins.tuple", "builtins.str", "builtins.int",
         "builtins.float", "builtins.set", "collections.OrderedDict", "collections.UserDict", ""}  # fmt: skip


class Vetted(NamedTuple):
    """A name, and which group of names it belongs to."""

    group: str
    module: str
    name: str


def modules(package: str) -> Iterator[ModuleType]:
    """A package and what lies below it, as far as it can be imported."""
    try:
        with contextlib.redirect_stdout(None):
            module = importlib.import_module(package)
    except BaseException:  # noqa: BLE001 - a missing optional dependency, or a module that exits
        return
    yield module
    for each in pkgutil.iter_modules(getattr(module, "__path__", []), package + "."):
        last = each.name.rpartition(".")[2]
        if package.startswith("transformers.models.") and not last.startswith("configuration_"):
            continue
        if last not in NOT_HERE and not last.startswith("test_"):
            yield from modules(each.name)


def provider(cls: type, method: str) -> str:
    """Which class a method comes from; empty for none."""
    for each in cls.__mro__:
        if method in each.__dict__:
            return f"{each.__module__}.{each.__qualname__}"
    return ""


def is_compiled(cls: type) -> bool:
    """Whether it is a class of a listed extension module."""
    home = getattr(inspect.getmodule(cls), "__file__", "") or ""
    return home.endswith((".so", ".pyd")) and cls.__module__.startswith(COMPILED)


def is_plain(cls: type) -> bool:
    """Whether making it without its __init__ and giving it a state runs nothing but what was reviewed."""
    if any(base.__name__ in NEVER_BELOW for base in cls.__mro__):
        return False
    checks = (("__setstate__", SETSTATE), ("__del__", DEL), ("__setattr__", SETATTR), ("__getattr__", GETATTR),
              ("__getattribute__", GETATTRIBUTE))  # fmt: skip
    own = {f"{cls.__module__}.{cls.__qualname__}"} if _is_strict(cls) else set()
    if not all(provider(cls, name) in BASIC | set(known) | {"builtins.BaseException"} | own for name, known in checks):
        return is_compiled(cls)
    new = provider(cls, "__new__")
    return new in BASIC or issubclass(cls, BaseException) or _is_named_tuple(cls) or is_compiled(cls) or _own(new)


def _is_strict(cls: type) -> bool:
    """A configuration of transformers 5, whose __setattr__ the hub's dataclasses write: it checks types."""
    return any(base.__name__ == "PreTrainedConfig" for base in cls.__mro__) and "__setstate__" not in cls.__dict__


def _own(new: str) -> bool:
    """A constructor that only warns, sorts arguments, or is compiled number crunching."""
    return new.startswith(("scipy.sparse.linalg", "sklearn.linear_model", "torch.nn.modules", "torchmetrics."))


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def group_of(cls: type) -> str:
    """Which group a class belongs to; empty where it is not vetted."""
    if issubclass(cls, enum.Enum):
        return "enum"
    if not is_plain(cls):
        return ""
    if issubclass(cls, BaseException):
        return "exception" if provider(cls, "__init__").startswith("builtins.") else "class"
    if is_compiled(cls):
        return "compiled class"
    if issubclass(cls, dict) and provider(cls, "__setitem__") in ("builtins.dict", "collections.OrderedDict"):
        return "dict class"
    if issubclass(cls, list) and provider(cls, "append") == provider(cls, "extend") == "builtins.list":
        return "list class"
    return "class"


def _of_class(cls: type) -> Iterator[Vetted]:
    group = group_of(cls)
    here = cls.__name__ not in NOT_HERE and not cls.__module__.startswith(LEFT_OUT)
    if group and here and cls.__qualname__.isidentifier():
        yield Vetted(group, cls.__module__, cls.__qualname__)


def _of_function(module: ModuleType, name: str, value: object) -> Iterator[Vetted]:
    compiled = (getattr(module, "__file__", "") or "").endswith((".so", ".pyd"))
    if compiled and (name.startswith("__pyx_unpickle_") or name == "newObj") and module.__name__.startswith(COMPILED):
        yield Vetted("unpickler", module.__name__, name)
    elif type(value).__name__ == "ufunc" and module.__name__ in ("numpy", "scipy.special"):
        homes = ("numpy", "numpy.core._multiarray_umath", "numpy._core._multiarray_umath")
        for home in homes if module.__name__ == "numpy" else ("scipy.special", "scipy.special._ufuncs"):
            yield Vetted("ufunc", home, name)
    elif isinstance(value, FunctionType) and value.__module__.startswith(NAMES_OF) and value.__qualname__ == name:
        yield Vetted("function", value.__module__, name)


def vetted(packages: list[str]) -> Iterator[Vetted]:
    """Every vetted name of some packages. A class that a package re-exports is vetted under its home alone."""
    for package in packages:
        top = package.partition(".")[0]
        for module in modules(package):
            for name, value in list(vars(module).items()):
                if isinstance(value, type) and value.__module__.partition(".")[0] in (top, "torch") and name != "type":
                    yield from _of_class(value)
                else:
                    yield from _of_function(module, name, value)

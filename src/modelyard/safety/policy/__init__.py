"""What is known of the names that pickles ask for: vetted ones with why, dangerous ones with what they do.

Everything else is suspicious. The lists are data beside this file, written from released packages and reviewed; what
happens to be installed never changes a verdict.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import msgspec

from modelyard.problem import Problem
from modelyard.walk.read import read_file

Use = Literal["name", "call", "new", "state", "items", "append", "add", "enum"]
Rule = Literal[
    "any", "never", "nothing", "one plain", "plain values", "plain and short", "containers", "factory",
    "reconstructor", "new object", "latin-1", "array", "masked array", "vetted class first", "rebuild by name",
    "pickle inside", "member of an enum",
]  # fmt: skip
T = TypeVar("T")
LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class Vetted:
    """A name that may be reached: how it may be used, by which rule for its arguments, and why that is safe."""

    framework: str
    kind: str
    uses: frozenset[Use]
    rule: Rule
    why: str

    @property
    def guarded(self) -> bool:
        """Whether it may be called by its rule, and be kept as a value by nobody."""
        free = self.rule in ("any", "plain values") or (self.rule == "vetted class first" and self.kind == "rebuild")
        return not free and not self.uses & {"name", "new"}


@dataclass(frozen=True, slots=True)
class Dangerous:
    """A name that runs something when it is called, and what."""

    does: str


class Group(msgspec.Struct, frozen=True):
    """Names that are vetted for the same reason, by module."""

    framework: str
    kind: str
    uses: tuple[Use, ...]
    rule: Rule
    why: str
    names: dict[str, tuple[str, ...]]


class Groups(msgspec.Struct, frozen=True):
    """A list of vetted names, and the releases it was written from."""

    releases: tuple[str, ...]
    groups: tuple[Group, ...]


class DangerousModule(msgspec.Struct, frozen=True):
    """A module whose names run things: all of them when `names` is empty, else those."""

    does: str = ""
    names: dict[str, str] = {}


class Renames(msgspec.Struct, frozen=True):
    """Python 2's addresses and Python 3's, as pickles of protocols below 3 are read."""

    modules: dict[str, str]
    names: tuple[tuple[str, str, str, str], ...]


class WeightsOnly(msgspec.Struct, frozen=True):
    """What `torch.load(weights_only=True)` lets a file name, of one release."""

    release: str
    names: dict[str, tuple[str, ...]]


class Name(NamedTuple):
    """A module and a qualified name in it, which only fit as a whole."""

    module: str
    name: str


def _shipped(name: str, kind: type[T]) -> T:
    data = read_file(os.fsencode(Path(__file__).with_name(name)), LIMIT, follow=True)
    assert not isinstance(data, Problem), data
    return msgspec.json.decode(data, type=kind)


@functools.cache
def vetted_names() -> dict[Name, Vetted]:
    """Every vetted name. What a person wrote stands above what a script found."""
    found: dict[Name, Vetted] = {}
    for file in ("packages.json", "core.json"):
        for group in _shipped(file, Groups).groups:
            entry = Vetted(group.framework, group.kind, frozenset(group.uses), group.rule, group.why)
            found |= {Name(module, name): entry for module, names in group.names.items() for name in names}
    return found


@functools.cache
def _dangerous_modules() -> dict[str, DangerousModule]:
    return _shipped("dangerous.json", dict[str, DangerousModule])


@functools.cache
def _renames() -> tuple[dict[str, str], dict[Name, Name]]:
    shipped = _shipped("renamed.json", Renames)
    return shipped.modules, {Name(each[0], each[1]): Name(each[2], each[3]) for each in shipped.names}


@functools.cache
def weights_only_names() -> frozenset[Name]:
    """What `torch.load(weights_only=True)` lets a file name."""
    shipped = _shipped("weights_only.json", WeightsOnly)
    return frozenset(Name(module, name) for module, names in shipped.names.items() for name in names)


def modern(module: str, name: str) -> tuple[str, str]:
    """The address that Python 3 looks up for one of Python 2."""
    modules, names = _renames()
    if (found := names.get(Name(module, name))) is not None:
        return found
    return modules.get(module, module), name


def lookup(module: str, name: str) -> Vetted | Dangerous | None:
    """What is known of a name; None for nothing. Only the whole name can be vetted, but any part of it dangerous."""
    found = vetted_names().get(Name(module, name))
    return found or _dangerous(module, name)


def _dangerous(module: str, name: str) -> Dangerous | None:
    """Every level is looked at: `pathlib` + `os.system` passes through `os`."""
    own = _in_module(module, name)
    if own is not None or "." not in name:
        return own
    parts = name.split(".")[:32]
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            inner = _in_module(".".join(parts[start:end]), ".".join(parts[end:]))
            if inner is not None:
                return inner
    return _in_module(f"{module}.{'.'.join(parts[:-1])}", parts[-1]) or _in_module("builtins", parts[-1])


def _in_module(module: str, name: str) -> Dangerous | None:
    levels = module.split(".")
    for count in range(len(levels), 0, -1):
        known = _dangerous_modules().get(".".join(levels[:count]))
        if known is None:
            continue
        if not known.names:
            return Dangerous(known.does)
        if count == len(levels) and (does := _first(known.names, name)):
            return Dangerous(does)
    return None


def _first(names: dict[str, str], name: str) -> str:
    """What a name or the part it begins with does."""
    levels = name.split(".")
    return next((names[part] for n in range(1, len(levels) + 1) if (part := ".".join(levels[:n])) in names), "")

"""The lists of names as they are shipped: typed, and read once."""

from __future__ import annotations

import functools
import os
from typing import Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from modelyard.problem import Problem
from modelyard.walk.read import read_file

Use = Literal["name", "call", "new", "state", "items", "append", "add", "enum"]
Rule = Literal[
    "any", "never", "nothing", "one plain", "plain values", "plain and short", "containers", "factory",
    "reconstructor", "new object", "latin-1", "array", "masked array", "random generator", "vetted class first",
    "rebuild by name", "pickle inside", "member of an enum",
]  # fmt: skip
T = TypeVar("T")
LIMIT = 4 << 20


class Vetted(Struct, frozen=True):
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
        free = free or self.kind == "random"  # numpy 1.26 hands one to the other
        return not free and not self.uses & {"name", "new"}


_NAMES = msgspec.json.Decoder(tuple[str, ...])


class Dangerous(Struct, frozen=True):
    """A name that runs something when it is called, and what."""

    does: str


class Group(msgspec.Struct, frozen=True):
    """Names that are vetted for the same reason, by module."""

    framework: str
    kind: str
    uses: tuple[Use, ...]
    rule: Rule
    why: str
    names: dict[str, msgspec.Raw]
    """Lists of names, read where one of the module is asked for: of most modules none is."""


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
    data = read_file(os.fsencode(os.path.join(os.path.dirname(__file__), name)), LIMIT, follow=True)
    assert not isinstance(data, Problem), data
    return msgspec.json.decode(data, type=kind)


@functools.cache
def _vetted_modules() -> dict[str, list[tuple[msgspec.Raw, Vetted]]]:
    """Names and what is known of them, by their module: the last list that has a name is right."""
    found: dict[str, list[tuple[msgspec.Raw, Vetted]]] = {}
    for file in ("packages.json", "core.json"):  # what a person wrote stands above what a script found
        for group in _shipped(file, Groups).groups:
            entry = Vetted(group.framework, group.kind, frozenset(group.uses), group.rule, group.why)
            for module, names in group.names.items():
                found.setdefault(module, []).append((names, entry))
    return found


def vetted(module: str, name: str) -> Vetted | None:
    """What is known of a vetted name; None for any other."""
    known = reversed(_vetted_modules().get(module, ()))
    return next((entry for names, entry in known if name in _NAMES.decode(names)), None)


def vetted_names() -> dict[Name, Vetted]:
    """Every vetted name."""
    modules = _vetted_modules().items()
    return {Name(at, name): entry for at, groups in modules for raw, entry in groups for name in _NAMES.decode(raw)}


@functools.cache
def dangerous_modules() -> dict[str, DangerousModule]:
    """The modules whose names run things."""
    return _shipped("dangerous.json", dict[str, DangerousModule])


@functools.cache
def renames() -> tuple[dict[str, str], dict[Name, Name]]:
    """Modules and names of Python 2, and what they are called now."""
    shipped = _shipped("renamed.json", Renames)
    return shipped.modules, {Name(each[0], each[1]): Name(each[2], each[3]) for each in shipped.names}


@functools.cache
def weights_only_names() -> frozenset[Name]:
    """What `torch.load(weights_only=True)` lets a file name."""
    shipped = _shipped("weights_only.json", WeightsOnly)
    return frozenset(Name(module, name) for module, names in shipped.names.items() for name in names)

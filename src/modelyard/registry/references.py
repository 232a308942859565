"""What `name`, `name@1.0.0`, `name@production` and `name@^1` mean."""

from __future__ import annotations

from msgspec import Struct

from modelyard.registry import aliases
from modelyard.registry.errors import RegistryError
from modelyard.registry.layout import checked, models, versions_of
from modelyard.registry.versions import Version, latest, parse, wanted, within


class Reference(Struct, frozen=True):
    """A version of a model that is there."""

    name: str
    version: Version

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.name}@{self.version}"


def resolve(root: str, text: str) -> Reference:
    """The version that a text means. RegistryError for a model or version that is not there, with what is."""
    name, at, which = text.partition("@")
    name = checked(name)
    known = versions_of(root, name)
    if not known:
        raise RegistryError(f"no model is called {name!r} in {root}", "no-model", _near(root, name))
    found = _chosen(root, name, which, known) if at else latest(known)
    if found is None:
        hint = f"it has {', '.join(map(str, known[-8:]))}"
        raise RegistryError(f"{name!r} has no version {which!r}", "no-version", hint)
    return Reference(name, found)


def _chosen(root: str, name: str, which: str, known: list[Version]) -> Version | None:
    if which == "latest":
        return latest(known)
    exact = parse(which)
    if exact is not None:
        return exact if exact in known else None
    named = aliases.read(root, name)
    if which in named:
        if named[which] not in known:
            hint = f"point it to another one of {', '.join(map(str, known[-8:]))}"
            raise RegistryError(f"{name}@{which} means {named[which]}, which is gone", "no-version", hint)
        return named[which]
    bounds = wanted(which)
    if bounds is None:
        hint = f"aliases: {', '.join(named) or 'none'}; versions: {', '.join(map(str, known[-8:]))}"
        raise RegistryError(f"{which!r} is no version, range or alias of {name!r}", "no-version", hint)
    return within(known, which, bounds)


def _near(root: str, name: str) -> str:
    import difflib

    names = [each for each, _ in models(root)]
    close = difflib.get_close_matches(name, names, 5, 0.4) or names[:5]
    return f"there is {', '.join(close)}" if close else "nothing was saved there yet"

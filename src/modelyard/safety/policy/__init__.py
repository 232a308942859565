"""What is known of the names that pickles ask for: vetted ones with why, dangerous ones with what they do.

Everything else is suspicious. The lists are data beside this file, written from released packages and reviewed; what
happens to be installed never changes a verdict.
"""

from __future__ import annotations

from functools import lru_cache

from modelyard.safety.policy.lists import (
    Dangerous,
    Name,
    Rule,
    Use,
    Vetted,
    dangerous_modules,
    renames,
    vetted,
    vetted_names,
    weights_only_names,
)

__all__ = ["Dangerous", "Name", "Rule", "Use", "Vetted", "lookup", "modern", "vetted_names", "weights_only_names"]


def modern(module: str, name: str) -> tuple[str, str]:
    """The address that Python 3 looks up for one of Python 2."""
    modules, names = renames()
    if (found := names.get(Name(module, name))) is not None:
        return found
    return modules.get(module, module), name


@lru_cache(4096)  # honest files ask for the same few hundred names, each several times
def lookup(module: str, name: str) -> Vetted | Dangerous | None:
    """What is known of a name; None for nothing. Only the whole name can be vetted, but any part of it dangerous."""
    return vetted(module, name) or _dangerous(module, name)


def _dangerous(module: str, name: str) -> Dangerous | None:
    """Every level is looked at: `pathlib` + `os.system` passes through `os`."""
    own = _in_module(module, name)
    parts = name.split(".")[:32]
    if own is not None or len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return own
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            inner = _in_module(".".join(parts[start:end]), ".".join(parts[end:]))
            if inner is not None:
                return inner
    return _in_module(f"{module}.{'.'.join(parts[:-1])}", parts[-1]) or _in_module("builtins", parts[-1])


def _in_module(module: str, name: str) -> Dangerous | None:
    levels = module.split(".")
    for count in range(len(levels), 0, -1):
        known = dangerous_modules().get(".".join(levels[:count]))
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

"""Adds the vetted names of installed packages to the shipped list.

`PYTHONPATH=tests python -m safety.vetting sklearn scipy.sparse …` with the packages installed; once for each release
that the list should know. Read the difference before committing it. Without packages it writes what Python 2's names
became and what torch's weights_only lets through. `core.json` and `dangerous.json` are written by hand.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from .walk import vetted

LIST = Path(__file__).parents[3] / "src" / "modelyard" / "safety" / "policy" / "packages.json"
GROUPS: dict[str, tuple[list[str], str, str]] = {
    "enum": (["name", "call", "enum"], "one plain", "a member is looked up by its value"),
    "exception": (["call", "new", "state"], "any", "an exception object, which is not raised"),
    "class": (["new", "state"], "any", "made without its __init__; its state becomes attributes"),
    "dict class": (["new", "state", "items"], "any", "a dict with attributes"),
    "list class": (["new", "state", "append"], "any", "a list with attributes"),
    "compiled class": (["call", "new", "state"], "plain values", "compiled number crunching: numbers in, numbers kept"),
    "unpickler": (["call"], "vetted class first", "makes an instance of the compiled class it is given"),
    "ufunc": (["name"], "never", "arithmetic on arrays, kept as a value"),
    "function": (["name"], "never", "a function kept as a value, not called while loading"),
}


def main(packages: list[str]) -> None:
    """Merges what is installed into the list."""
    known: dict[str, Any] = json.loads(LIST.read_text()) if LIST.exists() else {"releases": [], "groups": []}
    names: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for group in known["groups"]:
        for module, each in group["names"].items():
            names[group["framework"], group["kind"]][module] |= set(each)
    for each in vetted(packages):
        names[each.module.partition(".")[0], each.group][each.module].add(each.name)
    owners = packages_distributions()
    releases = {f"{name} {version(name)}" for top in packages for name in owners.get(top.partition(".")[0], [])}
    groups = [
        {"framework": framework, "kind": kind, "uses": GROUPS[kind][0], "rule": GROUPS[kind][1],
         "why": GROUPS[kind][2], "names": {module: sorted(found) for module, found in sorted(inside.items())}}
        for (framework, kind), inside in sorted(names.items())
    ]  # fmt: skip
    whole = {"releases": sorted(releases | set(known["releases"])), "groups": groups}
    LIST.write_text(json.dumps(whole, indent=0, separators=(",", ":")) + "\n")
    print(sum(len(found) for inside in names.values() for found in inside.values()), "names")


def _write(name: str, content: object) -> None:
    LIST.with_name(name).write_text(json.dumps(content, indent=0, separators=(",", ":")) + "\n")


def tables() -> None:
    """Writes the two lists that are copies of what Python and torch hold."""
    import _compat_pickle

    from torch._weights_only_unpickler import _get_allowed_globals

    names = [[*old, *new] for old, new in sorted(_compat_pickle.NAME_MAPPING.items())]
    _write("renamed.json", {"modules": dict(sorted(_compat_pickle.IMPORT_MAPPING.items())), "names": names})
    allowed: dict[str, list[str]] = defaultdict(list)
    for module, _, name in sorted(each.rpartition(".") for each in _get_allowed_globals()):
        allowed[module].append(name)
    _write("weights_only.json", {"release": f"torch {version('torch')}", "names": allowed})


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1:])
    else:
        tables()

"""Writes the page of stores from the adapters themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from modelyard.inventory import Platform, Root, Store
from modelyard.stores import ADAPTERS, loose
from modelyard.stores.adapter import Adapter
from modelyard.stores.telling import Telling, telling

HOME = Path("/home-of-the-reader")
TITLES: dict[Platform, str] = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
HEAD = """\
# Stores

What modelyard knows, written by `make docs` from the adapters in `src/modelyard/stores/`. Where it is told below, a
store is also recognised at any other place by what lies in it; `modelyard where` shows what was found on this machine
and what moved it there. A package of your own can [add a store](../examples/store-plugin/README.md).

**Comes back** says how an artifact would return: *re-get* by downloading it again while its source still exists,
*re-make* by computing it again, *re-solve* as an environment that is nearly the same, *superseded* where a later one
replaces it, *none* where nothing can bring it back. **Last use** is evidence, never more: where a file system keeps no
times of access, or keeps them once a day, modelyard says so. **`modelyard move`** is what the tool is told when its
folder gets another place.
"""


def page() -> str:
    """The whole page."""
    traps = (Path(__file__).parent / "traps.md").read_text()
    adapters = sorted(ADAPTERS, key=lambda each: each.STORE.title.lower())
    sections = [_section(each.STORE, _doc(each), _rows(each)) for each in adapters]
    alone = _section(loose.STORE, str(loose.__doc__), [("by", "content, from 50 MB on; never by name")])
    return "\n".join([HEAD, *_summary([each.STORE for each in adapters]), "", *sections, alone, traps])


def _doc(adapter: Adapter) -> str:
    return str(getattr(adapter, "__doc__", ""))


def _summary(stores: Iterable[Store]) -> Iterator[str]:
    yield "| store | kinds | comes back |\n|---|---|---|"
    for store in (*stores, loose.STORE):
        link = f"[{store.title}](#{_anchor(store)})"
        yield f"| {link} | {', '.join(store.kinds)} | {', '.join(store.recoveries)} |"


def _anchor(store: Store) -> str:
    """The anchor that a heading of this store gets."""
    kept = "".join(letter for letter in _heading(store).lower() if letter.isalnum() or letter in "-_ ")
    return kept.replace(" ", "-")


def _heading(store: Store) -> str:
    return f"{store.title} ({store.name})"


def _section(store: Store, doc: str, rows: Iterable[tuple[str, str]]) -> str:
    told = [
        ("kinds", ", ".join(store.kinds)),
        ("comes back", ", ".join(store.recoveries)),
        ("last use", store.evidence),
        *rows,
        ("`modelyard move`", _moving(telling(store.name))),
    ]
    lines = [f"| {label} | {text} |" for label, text in told if text]
    return "\n".join([f"## {_heading(store)}", "", doc.strip(), "", "| | |", "|---|---|", *lines, ""])


def _moving(tell: Telling) -> str:
    """What becomes of a move: by what its tool finds the new place, or why there is none."""
    single = f"; a single artifact: a link, for {tell.piece}" if tell.piece else ""
    single = "; a single artifact, too" if tell.piece and tell.piece == tell.link else single
    if tell.never:
        return f"not as a whole: {tell.never}; {tell.instead}{single}".replace("{store}", "…")
    told = ["its own settings"] if tell.setting and not tell.engine else []
    told += ["its own settings, by root, while its engine is stopped"] if tell.engine else []
    kept = "".join(f"; not {name}: {why}; {instead}" for name, (why, instead) in tell.apart.items())
    told += [f"a link in the old place, for {tell.link}"] if tell.link else []
    said = f"; `{tell.variables[0]}` names the new place" if tell.variables else ""
    return " or ".join(told) + said + single + kept


def _rows(adapter: Adapter) -> Iterator[tuple[str, str]]:
    store = adapter.STORE
    yield "moved by, strongest first", ", ".join(f"`{name}`" for name in store.variables)
    places = {platform: _places(adapter, platform) for platform in get_args(Platform)}
    if len(set(places.values())) == 1:
        yield "by default", places["linux"]
    else:
        yield from ((TITLES[platform], text) for platform, text in places.items())
    yield "recognised anywhere by", ", ".join(f"`{marker}`" for marker in store.markers)


def _places(adapter: Adapter, platform: Platform) -> str:
    """The default places, with the home as `~`; those that some setting of this very machine names are left out."""
    found = [place for place in adapter.roots({}, HOME, platform) if isinstance(place, Root)]
    paths = [each.path.replace(str(HOME), "~") for each in found if each.found_by.startswith("default")]
    return "<br>".join(f"`{path}`" for path in dict.fromkeys(paths))

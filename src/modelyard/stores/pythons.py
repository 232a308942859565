"""Pythons that tools installed: what is in them, and which environments were made from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from modelyard.inventory import Artifact, Recovery, Root, Store
from modelyard.problem import Problem
from modelyard.stores.environment import packages
from modelyard.stores.virtual_environment import settings
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

SHOWN = 5


class User(Struct, frozen=True):
    """An environment and the folder of the Python that it was made from."""

    label: str
    home: bytes


def users(tree: Tree) -> list[User]:
    """Every virtual environment of the tree that says what it was made from."""
    found = []
    for mark in tree.marks().get("pyvenv.cfg", ()):
        prefix = tree.parent(mark)
        known = settings(tree, prefix) if prefix is not None else {}
        if prefix is not None and not isinstance(known, Problem) and known.get("home"):
            found.append(User(tree.label(prefix), known["home"]))
    return found


def has_python(tree: Tree, row: int) -> bool:
    """Whether a folder is an installation of Python itself, no environment."""
    if any(tree.child(row, *names) is not None for names in ((b"pyvenv.cfg",), (b"conda-meta",))):
        return False
    scripts = tree.child(row, b"bin")
    names = {*tree.children(row), *(tree.children(scripts) if scripts is not None else ())}
    return any(name in names for name in (b"python3", b"python", b"python.exe", b"pypy3"))


def installations(
    store: Store, root: Root, tree: Tree, folder: int, recovery: Recovery, prefix: str
) -> Iterator[Artifact]:
    """Each Python in a folder, with the links that give it a shorter name."""
    names = sorted(tree.children(folder).items())
    found = [(name, row) for name, row in names if tree.is_folder(row) and has_python(tree, row)]
    links = [(tree.follow(row), name, row) for name, row in names if found and tree.is_link(row)]
    known = users(tree) if found else []
    for name, row in found:
        short = [(other, link) for target, other, link in links if target == row]
        yield _installation(store, root, tree, row, f"{prefix}{shown(name)}", recovery, short, known)


def _installation(
    store: Store,
    root: Root,
    tree: Tree,
    row: int,
    name: str,
    recovery: Recovery,
    short: Sequence[tuple[bytes, int]],
    known: Sequence[User],
) -> Artifact:
    holder = tree.path(row).rpartition(b"/")[0]
    places = tuple(b"%s/%s/" % (holder, each) for each in (tree.name(row), *(other for other, _ in short)))
    used_by = sorted(user.label for user in known if (user.home + b"/").startswith(places))
    more = f" and {len(used_by) - SHOWN} more" if len(used_by) > SHOWN else ""
    facts = [("Used by", ", ".join(used_by[:SHOWN]) + more)] if used_by else []
    inside = tree.children(row)
    seen = "1 environment seen needs it" if len(used_by) == 1 else f"{len(used_by)} environments seen need it"
    return Artifact(
        f"{store.name}:{name}",
        "environment",
        store.name,
        name,
        root.path,
        tuple(each for part, each in sorted(inside.items()) if part != b"envs") if b"envs" in inside else (row,),
        tuple(link for _, link in short),
        recovery=recovery,
        detail=seen if used_by else "no environment seen that needs it",
        facts=(*facts, *packages(tree, row).facts()),
    )

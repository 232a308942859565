"""What `modelyard archive` put away: a stub stays in its place, and `modelyard recall` brings it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.formats.stub import CAP, SUFFIX, decode
from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.units import size
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MARKER = "*" + SUFFIX.decode()
STORE = Store(
    "archived",
    "Archived elsewhere",
    (),
    (MARKER,),
    scattered=True,
    kinds=("model", "checkpoint"),
    recoveries=("none",),
    nowhere="nothing was archived",
)
HINT = "the same stub lies as `manifest.json` where the thing is kept"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: a stub lies where the thing was."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds it."""
    return tree.parent(row) if tree.is_file(row) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a stub: what it was, where it is kept, how large it is."""
    found = list(_stubs(root, tree))
    artifacts = tuple(each for each in found if isinstance(each, Artifact))
    return Reading(artifacts, tuple(each for each in found if isinstance(each, Problem)))


def _stubs(root: Root, tree: Tree) -> Iterator[Artifact | Problem]:
    for name, row in sorted(tree.children(root.row).items() if root.row is not None else ()):
        if not name.endswith(SUFFIX) or not tree.is_file(row):
            continue
        label = tree.label(row).removesuffix(SUFFIX.decode())
        text = tree.read(row, CAP)
        try:
            stub = text if isinstance(text, Problem) else decode(text)
        except ValueError as error:
            stub = Problem(shown(tree.path(row)), "bad-stub", str(error), HINT)
        if isinstance(stub, Problem):
            yield stub
            words = "its stub cannot be read"
            yield Artifact(
                f"archived:{label}", "model", "archived", label, root.path, (), (row,), state="corrupt", detail=words
            )
            continue
        kind: Kind = "checkpoint" if stub.kind == "checkpoint" else "model"
        where = shown(stub.where)
        yield Artifact(
            f"archived:{label}",
            kind,
            "archived",
            shown(stub.artifact),
            root.path,
            (),
            (row,),
            state="archived",
            detail=f"{size(stub.size)} at {where}",
            facts=(
                ("Archived", shown(stub.archived)),
                ("Kept at", where),
                ("Bytes", f"{stub.size:,}, kept in {stub.stored:,}"),
                ("To bring it back", "modelyard recall"),
            ),
        )

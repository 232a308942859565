"""The order in which things go, and the folders that go with the last of what was in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import makers
from modelyard.inventory import Artifact
from modelyard.policies import removal
from modelyard.walk.claims import Claims
from modelyard.walk.tree import Tree, walk


def thing(
    tree: Tree, name: str, blobs: Iterable[Path], pins: Iterable[Path] = (), holder: Path | None = None
) -> Artifact:
    """An artifact of these paths."""
    return Artifact(
        f"hf:{name}",
        "model",
        "hf",
        name,
        "/",
        rows(tree, blobs),
        rows(tree, pins),
        holder=None if holder is None else tree.find(holder),
    )


def rows(tree: Tree, paths: Iterable[Path]) -> tuple[int, ...]:
    """Where the tree has them."""
    return tuple(row for path in paths if (row := tree.find(path)) is not None)


def order(tree: Tree, *artifacts: Artifact, chosen: Iterable[int] = ()) -> list[str]:
    """The names that go, in their order."""
    claims = Claims(tree, [each.rows for each in artifacts], [each.store for each in artifacts])
    numbers = set(chosen) or set(range(len(artifacts)))
    steps = removal.steps(tree, claims, artifacts, numbers, {})
    return [os.fsdecode(os.path.basename(bytes(step.path))) for step in steps]


def files(home: Path, *names: str) -> list[Path]:
    """Files in one folder."""
    return [makers.write(home / "repo" / name) for name in names]


def test_names_go_in_the_order_in_which_they_are_told_then_the_bytes_in_theirs(home: Path) -> None:
    z, a, payload, beside = files(home, "z", "a", "c", "b")
    t = walk([bytes(home)])
    assert order(t, thing(t, "one", [payload, beside], [z, a])) == ["z", "a", "c", "b"]


def test_a_name_that_two_things_need_goes_after_the_names_of_both(home: Path) -> None:
    first, second, link, payload = files(home, "x1", "x2", "a-link", "bytes")
    t = walk([bytes(home)])
    one, two = thing(t, "one", [payload], [first, link]), thing(t, "two", [payload], [second, link])
    assert order(t, one, two) == ["x1", "x2", "a-link", "bytes"]
    assert order(t, one, two, chosen=[0]) == ["x1"]


def test_a_folder_goes_with_the_last_of_what_was_in_it(home: Path) -> None:
    first, second = files(home, "blobs/1", "blobs/2")
    (home / "repo" / "empty").mkdir()
    shared = makers.write(home / "shared" / "payload")
    t = walk([bytes(home)])
    both = [thing(t, name, [path, shared], (), home / "repo") for name, path in (("one", first), ("two", second))]
    assert order(t, *both) == ["repo", "payload"]
    assert order(t, *both, chosen=[1]) == ["2"]


def test_a_folder_with_a_file_of_somebody_else_stays(home: Path) -> None:
    (first,) = files(home, "blobs/1")
    makers.write(home / "repo" / "notes.txt")
    t = walk([bytes(home)])
    assert order(t, thing(t, "one", [first], (), home / "repo")) == ["1"]


def test_a_folder_with_a_link_of_somebody_else_stays(home: Path) -> None:
    (first,) = files(home, "blobs/1")
    (home / "repo" / "link").symlink_to(home)
    t = walk([bytes(home)])
    assert order(t, thing(t, "one", [first], (), home / "repo")) == ["1"]

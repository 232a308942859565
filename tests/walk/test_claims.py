"""Who claims what: shared rows, rows within rows, and owners of one group and of several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from modelyard.walk.claims import Claims
from modelyard.walk.tree import Tree
from walk.truth import look

SIZE = 100_000
Made = tuple[Tree, dict[str, int]]


@pytest.fixture
def made(home: Path) -> Made:
    """A store with two models and a half download, and the rows of it all by path."""
    for name in ("store/a/blob", "store/b/blob", "store/downloads/done", "store/downloads/half/part", "other/f"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * SIZE)
    os.link(home / "store" / "a" / "blob", home / "store" / "b" / "linked")
    tree = look(home)
    return tree, {os.path.relpath(os.fsdecode(tree.path(row)), home): row for row in range(len(tree))}


def claims(made: Made, owners: Sequence[Sequence[str]], groups: Sequence[str] | None = None) -> Claims:
    """Claims by paths; all owners of one group unless told."""
    tree, rows = made
    return Claims(tree, [[rows[path] for path in owner] for owner in owners], groups or ["g"] * len(owners))


def files(claimed: Claims, *owners: int) -> float:
    """How many files the owners free, without what their folders take."""
    return claimed.measure(set(owners)).sizes.freed // SIZE


def test_what_one_owner_claims_alone_goes(made: Made) -> None:
    claimed = claims(made, [["store/a/blob", "store/b/linked"], ["store/b/blob"]])
    assert files(claimed, 0) == 1
    assert files(claimed, 1) == 1
    assert files(claimed, 0, 1) == 2
    assert claimed.measure({0}).sizes.exact


def test_a_shared_row_stays_until_all_its_owners_go(made: Made) -> None:
    claimed = claims(made, [["store/a", "store/b/linked", "other/f"], ["other/f"], ["store/b/blob", "other/f"]])
    assert files(claimed, 0) == 1
    assert files(claimed, 1) == 0
    assert files(claimed, 1, 2) == 1
    assert files(claimed, 0, 1, 2) == 3
    assert claimed.measure({1}).sizes.allocated >= SIZE, "what it holds is told whole, whoever else needs it"


def test_a_hard_link_claimed_by_another_keeps_the_bytes(made: Made) -> None:
    claimed = claims(made, [["store/a"], ["store/b"]])
    assert files(claimed, 0) == 0
    assert files(claimed, 1) == 1
    assert files(claimed, 0, 1) == 2


def test_the_narrower_claim_wins_in_one_group(made: Made) -> None:
    claimed = claims(made, [["store/downloads"], ["store/downloads/half"]])
    assert files(claimed, 0) == 1, "the half download within is its own thing"
    assert files(claimed, 1) == 1
    assert files(claimed, 0, 1) == 2


def test_between_groups_both_need_the_bytes(made: Made) -> None:
    claimed = claims(made, [["store/downloads"], ["store/downloads/half"]], ["one", "two"])
    assert files(claimed, 0) == 1
    assert files(claimed, 1) == 0
    assert files(claimed, 0, 1) == 2


def test_a_claim_of_another_group_far_above_holds_too(made: Made) -> None:
    claimed = claims(made, [["store"], ["store/downloads"], ["store/downloads/half"]], ["one", "two", "two"])
    assert files(claimed, 2) == 0
    assert files(claimed, 1, 2) == 0
    assert files(claimed, 0) == 2, "both models go, the downloads stay"
    assert files(claimed, 0, 1, 2) == 4


def test_claims_within_a_claim_within_a_claim(made: Made) -> None:
    claimed = claims(made, [["store", "store/downloads/half/part"], ["store/downloads"]])
    assert files(claimed, 0) == 3, "what is narrower than the other's narrower claim is its own again"
    assert files(claimed, 1) == 1
    assert files(claimed, 0, 1) == 4


def test_the_folder_of_what_is_kept_stays(made: Made) -> None:
    tree, rows = made
    claimed = claims(made, [["store/downloads"], ["store/downloads/half"]])
    done = tree.entry(rows["store/downloads/done"])
    assert done is not None
    assert claimed.measure({0}).sizes.freed == done.allocated


def test_the_owner_of_a_row_is_the_nearest_above(made: Made) -> None:
    _, rows = made
    claimed = claims(made, [["store"], ["store/downloads", "store/a/blob"], ["store/a/blob"]])
    assert claimed.owners_of(rows["store/downloads/half/part"]) == [1]
    assert claimed.owners_of(rows["store/a/blob"]) == [1, 2]
    assert claimed.owners_of(rows["store/a"]) == [0]
    assert claimed.owners_of(rows["store"]) == [0]
    assert claimed.owners_of(rows["other/f"]) == []
    assert claimed.rows({1}) == {rows["store/downloads"], rows["store/a/blob"]}
    assert sorted(claimed.all()) == sorted(rows[name] for name in ("store", "store/downloads", "store/a/blob"))

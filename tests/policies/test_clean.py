"""What may go: never without a proof, never more than asked, and close to the best set."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modelyard.inventory import Artifact, LastUsed, Sizes
from modelyard.policies.clean import (
    HOUR,
    ORDER,
    UNPROVEN,
    Candidate,
    Evidence,
    Wish,
    candidates,
    chosen,
    doubtful,
    enough,
    worst,
)

NOW = 100 * HOUR
PLAIN = Artifact("hf:model/a@1", "model", "hf", "a", "/r", (1,), recovery="re-get", written=0)


def proof(**changes: object) -> str:
    """The proof of one artifact."""
    return candidates([replace(PLAIN, **changes)], NOW)[0].proof


def test_nothing_is_proven_by_being_old() -> None:
    assert proof() == UNPROVEN
    assert proof(recovery="none", kind="checkpoint") == UNPROVEN
    assert proof(recovery="re-solve", kind="environment") == UNPROVEN
    assert proof(kind="volume", recovery="none") == UNPROVEN


def test_unfinished_downloads_go_when_nothing_writes_to_them() -> None:
    assert proof(state="partial") == "leftover"
    assert proof(state="partial", written=NOW - HOUR // 2) == UNPROVEN
    assert proof(state="partial", recovery="none") == UNPROVEN  # an interrupted save


def test_orphans_go_when_they_would_come_back() -> None:
    assert proof(state="orphan") == "leftover"
    assert proof(state="orphan", recovery="none") == UNPROVEN
    assert proof(state="dangling") == UNPROVEN
    assert proof(state="corrupt") == UNPROVEN


def test_caches_of_packages_and_kernels() -> None:
    assert proof(kind="package cache") == "re-get"
    assert proof(kind="compile cache", recovery="re-make") == "re-make"
    assert proof(kind="package cache", recovery="none") == UNPROVEN


def test_a_detached_revision_goes_only_beside_a_named_one() -> None:
    old = replace(PLAIN, id="hf:model/a@old", group="a", revision="old", tags=("detached",))
    new = replace(PLAIN, id="hf:model/a@new", group="a", revision="new", tags=("main",))
    assert [each.proof for each in candidates([old, new], NOW)] == ["superseded", UNPROVEN]
    assert [each.proof for each in candidates([old], NOW)] == [UNPROVEN]
    assert [each.proof for each in candidates([old, replace(new, state="dangling")], NOW)] == [UNPROVEN] * 2
    assert [each.proof for each in candidates([old, replace(new, group="b")], NOW)] == [UNPROVEN] * 2


def ids(artifacts: list[Artifact], wish: Wish) -> list[str]:
    """What is chosen."""
    return [artifacts[each.number].id for each in chosen(artifacts, candidates(artifacts, NOW), wish)]


SOME = [
    replace(PLAIN, id="uv:wheels-v5", store="uv", kind="package cache", last_used=LastUsed(5, "", "high")),
    replace(PLAIN, id="triton:x", store="triton", kind="compile cache", recovery="re-make"),
    replace(PLAIN, id="hf:model/mine@1", recovery="none"),
]


def test_no_wish_but_a_name_reaches_what_is_not_proven() -> None:
    assert ids(SOME, Wish()) == ["uv:wheels-v5"]
    assert ids(SOME, Wish(names=("triton",))) == ["triton:x"]  # building it again may take hours
    assert ids(SOME, Wish(names=("hf",))) == []
    assert ids(SOME, Wish(kinds=("model",))) == []
    assert ids(SOME, Wish(names=("hf:model/mine@1",))) == []
    assert ids(SOME, Wish(unproven=("hf:model/mine@1",))) == ["uv:wheels-v5", "hf:model/mine@1"]
    assert ids(SOME, Wish(unproven=("hf:model",))) == ["uv:wheels-v5"]


def test_wishes_narrow() -> None:
    assert ids(SOME, Wish(names=("uv",))) == ["uv:wheels-v5"]
    assert ids(SOME, Wish(kinds=("compile cache",))) == ["triton:x"]
    assert ids(SOME, Wish(unused_since=6)) == ["uv:wheels-v5"]  # what is not known to be unused stays
    assert ids(SOME, Wish(unused_since=5)) == []
    assert ids(SOME, Wish(keep=("wheels",), unproven=("hf:model/mine@1",))) == ["hf:model/mine@1"]
    assert ids(SOME, Wish(keep=("mine",), unproven=("hf:model/mine@1",))) == ["uv:wheels-v5"]


def sizes(bytes_of: dict[int, int], together: dict[frozenset[int], int], numbers: Collection[int]) -> Sizes:
    """Bytes of a set: its members' own, and what comes back only when all of a group go."""
    total = sum(bytes_of[number] for number in numbers)
    return Sizes(freed=total + sum(more for group, more in together.items() if group <= set(numbers)))


def _weakest(found: list[Candidate], numbers: Collection[int]) -> int:
    return max((ORDER.index(found[number].proof) for number in numbers), default=0)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from(ORDER), st.integers(0, 200)), min_size=1, max_size=7),
    st.lists(st.tuples(st.sets(st.integers(0, 6), min_size=2, max_size=3), st.integers(1, 100)), max_size=3),
    st.integers(0, 400),
)
def test_enough_is_close_to_the_best_set(
    each: list[tuple[int, str, int]], groups: list[tuple[set[int], int]], wanted: int
) -> None:
    bytes_of = {number: size for number, (size, _, _) in enumerate(each)}
    together = {frozenset(group): more for group, more in groups if group <= set(bytes_of)}
    found = [Candidate(number, proof, "", fetch) for number, (_, proof, fetch) in enumerate(each)]

    def freed(numbers: Collection[int]) -> Sizes:
        return sizes(bytes_of, together, numbers)

    taken = enough(found, freed, wanted)
    numbers = {each.number for each in taken}
    possible = [set(some) for count in range(len(found) + 1) for some in combinations(bytes_of, count)]
    fitting = [some for some in possible if freed(some).freed >= wanted]
    if not fitting:
        assert numbers == set(bytes_of)
        return
    assert freed(numbers).freed >= wanted
    least = min(_weakest(found, some) for some in fitting)
    assert ORDER.index(worst(taken)) == least, "no weaker proof than needed"
    if not together and numbers:
        best = min(freed(some).freed for some in fitting if _weakest(found, some) == least)
        bound = max(bytes_of[each.number] for each in taken if ORDER.index(each.proof) == least)
        assert freed(numbers).freed < best + max(bound, 1), "less than one member of the weakest class too much"
    for number in numbers:
        if bytes_of[number] and not any(number in group for group in together):
            assert freed(numbers - {number}).freed < wanted or bytes_of[number] > freed(numbers).freed - wanted


@pytest.mark.parametrize("wanted", [0, 1, 10**18])
def test_nothing_and_too_much(wanted: int) -> None:
    taken = enough([Candidate(0, "leftover", "")], lambda numbers: Sizes(freed=5 * len(numbers)), wanted)
    assert len(taken) == (wanted > 0)


def test_what_is_named_goes_with_its_proof_too() -> None:
    proven = {"hf:model/mine@1": Evidence("re-get", "the hub has it", 7)}
    found = chosen(SOME, candidates(SOME, NOW, proven), Wish(unproven=("hf:model/mine@1",)))
    assert [(each.number, each.proof) for each in found] == [(0, "re-get"), (2, "re-get")]


def test_doubts_are_about_what_is_wished_and_whole() -> None:
    def doubts(wish: Wish, **changes: object) -> list[int]:
        some = [*SOME[:2], replace(SOME[2], **changes)]
        return doubtful(some, candidates(some, NOW), wish)

    assert doubts(Wish()) == []
    assert doubts(Wish(names=("hf",))) == doubts(Wish(kinds=("model",))) == [2]
    assert doubts(Wish(unproven=("hf:model/mine@1",))) == [2]
    assert doubts(Wish(wanted=1)) == []
    assert doubts(Wish(wanted=1), recovery="re-get") == [2]
    assert doubts(Wish(names=("hf",)), state="dangling") == []
    assert doubts(Wish(names=("hf",), keep=("mine",))) == []
    assert doubts(Wish(names=("hf",), unused_since=9)) == []


def test_enough_prefers_what_need_not_be_fetched_again_and_then_the_largest() -> None:
    bytes_of = {0: 50, 1: 60, 2: 70, 3: 1000}
    fetch = {0: 0, 1: 60, 2: 71, 3: 0}
    found = [Candidate(number, "superseded", "", fetch[number]) for number in range(3)] + [Candidate(3, "re-get", "")]

    def taken(wanted: int) -> set[int]:
        return {each.number for each in enough(found, lambda some: sizes(bytes_of, {}, some), wanted)}

    assert taken(50) == {0}
    assert taken(110) == {0, 2}
    assert taken(180) == {0, 1, 2}
    assert taken(181) >= {3}


def test_what_comes_back_goes_only_when_it_is_asked_for() -> None:
    proven = {"hf:model/mine@1": Evidence("re-get", "the hub has it", 7)}

    def taken(wish: Wish) -> list[str]:
        return [SOME[each.number].id for each in chosen(SOME, candidates(SOME, NOW, proven), wish)]

    assert taken(Wish()) == ["uv:wheels-v5"]
    assert taken(Wish(names=("hf",))) == ["hf:model/mine@1"]
    assert "hf:model/mine@1" in taken(Wish(wanted=1))
    assert taken(Wish(names=("hf",), keep=("mine",))) == []
    assert [each.fetch for each in candidates(SOME, NOW, proven)][-1] == 7

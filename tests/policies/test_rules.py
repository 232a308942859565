"""Rules of the user: they keep, they set budgets, and they never let anything more go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modelyard.inventory import Artifact, LastUsed
from modelyard.policies.rules import Rule, Rules, budgets, kept
from modelyard.units import SECOND, SPANS

DAY = SPANS["d"] * SECOND
NOW = 400 * DAY
PLAIN = Artifact("hf:model/a@1", "model", "hf", "a", "/r", (1,), group="a", written=0)


def revision(number: int, used: int | None = None, **changes: object) -> Artifact:
    """A revision written on this day, and used so many days ago."""
    last = None if used is None else LastUsed(NOW - used * DAY, "read", "high")
    return replace(PLAIN, id=f"hf:model/a@{number}", written=number * DAY, last_used=last, **changes)


def ids(artifacts: list[Artifact], rules: Rules) -> list[str]:
    """What rules keep."""
    return [artifacts[number].id for number in sorted(kept(artifacts, rules, NOW))]


def test_never_keeps_everything_of_a_store_and_nothing_of_another() -> None:
    other = replace(PLAIN, id="uv:x", store="uv")
    assert ids([PLAIN, other], Rules({"hf": Rule(never=True)})) == [PLAIN.id]
    assert ids([PLAIN, other], Rules({"all": Rule(never=True)})) == [PLAIN.id, "uv:x"]
    assert ids([PLAIN, other], Rules({"all": Rule(never=True), "uv": Rule(never=False)})) == [PLAIN.id]


def test_what_was_used_lately_or_nobody_knows_when_stays() -> None:
    found = [revision(1, 29), revision(2, 31), revision(3), revision(4, 1, state="partial")]
    assert ids(found, Rules({"hf": Rule(unused_for=30 * DAY)})) == ["hf:model/a@1", "hf:model/a@3"]


def test_the_newest_of_each_group_stay() -> None:
    found = [revision(3), revision(1), revision(2), revision(4, state="partial"), replace(PLAIN, id="hf:b", group="b")]
    assert ids(found, Rules({"hf": Rule(keep_last=2)})) == ["hf:model/a@3", "hf:model/a@2", "hf:b"]
    assert ids(found, Rules({"hf": Rule(keep_last=0)})) == []


def test_pins_stay() -> None:
    assert ids([PLAIN, revision(2)], Rules(pins=frozenset({PLAIN.id}))) == [PLAIN.id]


RULES = st.builds(
    Rule,
    never=st.none() | st.booleans(),
    unused_for=st.none() | st.integers(0, 100).map(lambda days: days * DAY),
    keep_last=st.none() | st.integers(0, 4),
)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 99)), max_size=6), RULES, RULES)
def test_one_more_rule_never_lets_more_go(found: list[tuple[int, int | None]], own: Rule, every: Rule) -> None:
    artifacts = [revision(*each) for each in found]
    with_both = set(kept(artifacts, Rules({"hf": own, "all": every}), NOW))
    assert with_both >= set(kept(artifacts, Rules({"hf": own}), NOW))


def test_budgets_say_what_is_exceeded_first() -> None:
    rules = Rules({"all": Rule(min_free=50, max_size=1000), "hf": Rule(max_size=10), "uv": Rule(min_free=70)})
    found = budgets(rules, {"hf": 11, "uv": 5}, {"hf": ("/", 60), "uv": ("/", 60)})
    assert [(each.name, each.limit, each.found, each.exceeded) for each in found] == [
        ("free on /", 70, 60, True),
        ("hf", 10, 11, True),
        ("all", 1000, 16, False),
    ]
    assert budgets(Rules(), {"hf": 11}, {"hf": ("/", 60)}) == []

"""Which checkpoints of a run may go: never the best, the last, or the only ones that load."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modelyard.policies.checkpoints import UNKNOWN, Decision, Rule, decide
from modelyard.stores.checkpoint_facts import RunFacts, Saved
from modelyard.units import SECOND


def saved(step: int, **changes: object) -> Saved:
    """A whole checkpoint, saved a minute after the one before."""
    name = f"checkpoint-{step}"
    plain = Saved(f"checkpoint:out/{name}", name, step, step * 60 * SECOND, resume=(step,))
    return replace(plain, **changes)


def run(*saves: Saved, **changes: object) -> RunFacts:
    """A run that tells its best."""
    return replace(RunFacts(0, saves), **changes)


FIVE = run(
    saved(10, score=1.0),
    saved(20, score=5.0, kept_by=("best",)),
    saved(30, score=4.0),
    saved(40, score=2.0),
    saved(50, score=3.0, kept_by=("last",)),
    metric="eval_score 5",
)


def stays(facts: RunFacts, rule: Rule = Rule()) -> list[int]:  # noqa: B008 - frozen
    """The steps that stay."""
    found = decide([(facts, "")], rule)
    assert not set(found.goes) & set(found.stays)
    return [each.step for each in facts.saves if each.id in found.stays]


def test_the_best_and_the_last_stay() -> None:
    assert stays(FIVE) == [20, 50]
    assert stays(FIVE, Rule(best=0)) == [20, 50]
    found = decide([(FIVE, "")], Rule())
    assert found.goes["checkpoint:out/checkpoint-10"].proof == "superseded"
    assert "checkpoint-20, checkpoint-50" in found.goes["checkpoint:out/checkpoint-10"].words
    assert found.stays["checkpoint:out/checkpoint-20"] == "the best (eval_score 5)"


def test_more_of_each_stay_when_asked() -> None:
    assert stays(FIVE, Rule(best=2)) == [20, 30, 50]
    assert stays(FIVE, Rule(best=9)) == [10, 20, 30, 40, 50]
    assert stays(FIVE, Rule(last=2)) == [20, 40, 50]
    assert stays(FIVE, Rule(every=15)) == [20, 30, 50]


def test_equal_scores_stay_together() -> None:
    tied = replace(FIVE, saves=(replace(FIVE.saves[0], score=4.0), *FIVE.saves[1:]))
    assert stays(tied, Rule(best=2)) == [10, 20, 30, 50]


def test_where_scores_are_missing_more_stays() -> None:
    some = replace(FIVE, saves=(replace(FIVE.saves[0], score=None), *FIVE.saves[1:]))
    assert stays(some, Rule(best=2)) == [10, 20, 30, 50]
    assert stays(some) == [20, 50]
    none = replace(FIVE, saves=tuple(replace(each, score=None) for each in FIVE.saves))
    assert stays(none, Rule(best=2)) == [10, 20, 30, 40, 50]


def test_where_the_best_is_not_known_all_stay_unless_it_is_not_asked_for() -> None:
    untold = run(*(replace(each, kept_by=(), score=None) for each in FIVE.saves), unjudged="no metric")
    found = decide([(untold, "")], Rule())
    assert not found.goes
    assert found.stays["checkpoint:out/checkpoint-10"] == UNKNOWN + "no metric"
    assert stays(untold, Rule(best=0, last=2)) == [40, 50]
    assert len(stays(replace(untold, mixed=True), Rule(best=0))) == 5


def test_the_last_whole_one_stays_when_newer_ones_are_not() -> None:
    cut = run(saved(10), saved(20), saved(30, trouble="its save was not finished"), saved(40, trouble="it is cut"))
    assert stays(cut) == [20, 30, 40]


def test_nothing_goes_where_nothing_is_whole() -> None:
    broken = run(*(saved(step, trouble="it is cut") for step in (10, 20)))
    assert stays(broken, Rule(best=0, slim=True)) == [10, 20]


def test_what_has_no_step_stays() -> None:
    assert stays(run(saved(-1), saved(10), saved(20))) == [-1, 20]


def test_where_steps_and_times_disagree_the_last_by_both_stay() -> None:
    again = run(saved(10), saved(20, written=9999 * SECOND), saved(30), saved(40))
    assert not again.in_order
    assert stays(again) == [20, 40]


def test_a_run_that_goes_on_is_left_alone() -> None:
    found = decide([(FIVE, "in use")], Rule(slim=True))
    assert (found.goes, found.slim) == ({}, {})
    assert set(found.stays.values()) == {"in use"}


def test_slim_spares_the_last_and_what_is_named() -> None:
    assert decide([(FIVE, "")], Rule()).slim == {}
    assert decide([(FIVE, "")], Rule(last=2, slim=True)).slim == {
        "checkpoint:out/checkpoint-20": (20,),
        "checkpoint:out/checkpoint-40": (40,),
    }
    linked = replace(FIVE, saves=(FIVE.saves[0], replace(FIVE.saves[1], kept_by=("best", "linked")), *FIVE.saves[2:]))
    assert decide([(linked, "")], Rule(slim=True)).slim == {}
    cut = run(saved(10), saved(20), saved(30, trouble="cut"))
    assert decide([(cut, "")], Rule(last=2, slim=True)).slim == {"checkpoint:out/checkpoint-10": (10,)}


WORDS = st.lists(st.sampled_from(("best", "last", "linked")), unique=True).map(tuple)
SAVES = st.lists(
    st.builds(
        saved,
        st.integers(-1, 60),
        written=st.integers(0, 5000).map(lambda at: at * SECOND),
        trouble=st.sampled_from(("", "", "", "cut")),
        kept_by=WORDS,
        score=st.none() | st.floats(-5, 5),
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda each: each.step,
).map(lambda saves: sorted(saves, key=lambda each: each.step))
RUNS = st.builds(
    lambda saves, unjudged, mixed: run(*saves, unjudged=unjudged, mixed=mixed),
    SAVES,
    st.sampled_from(("", "", "no metric")),
    st.booleans(),
)
RULES = st.builds(Rule, st.integers(0, 4), st.integers(1, 4), st.none() | st.integers(1, 20), st.booleans())


def law(facts: RunFacts, rule: Rule, found: Decision) -> None:
    """What holds of every decision."""
    here = {each.id: each for each in facts.saves}
    assert set(found.goes) | set(found.stays) == set(here)
    assert not set(found.goes) & set(found.stays)
    assert all(not here[each].trouble and not here[each].kept_by for each in found.goes)
    whole = [each for each in facts.whole if each.id in found.stays]
    assert bool(whole) == bool(facts.whole)
    if facts.whole:
        last = facts.whole[-1]
        assert last.id in found.stays and last.id not in found.slim
        newest = max(each.written for each in facts.whole)
        if not facts.in_order:
            assert any(each.written == newest and each.id not in found.slim for each in whole)
    assert len(whole) >= min(rule.last, len(facts.whole))
    ranked = sorted((each.score for each in facts.whole if each.score is not None), reverse=True)[: rule.best]
    if rule.best > 1 and not facts.unjudged:
        assert set(ranked) <= {each.score for each in whole}
    assert set(found.slim) <= set(found.stays) if rule.slim else not found.slim


@given(RUNS, RULES)
def test_for_any_run_and_any_rule_the_best_the_last_and_one_that_loads_stay(facts: RunFacts, rule: Rule) -> None:
    law(facts, rule, decide([(facts, "")], rule))

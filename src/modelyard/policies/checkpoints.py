"""Which checkpoints of a run may go: never its best, its last, or its only ones that load. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from modelyard.policies.clean import Evidence
from modelyard.stores.checkpoint_facts import RunFacts, Saved

UNKNOWN = "best not known: "
"""How the reason begins with which a checkpoint stays because its run does not tell the best."""
COST = "its weights stay; no exact resume"


class Rule(Struct, frozen=True):
    """How many of each run stay: the best, the last, and those whose step is a multiple of `every`."""

    best: int = 1
    last: int = 1
    every: int | None = None
    slim: bool = False


class Decision(Struct):
    """By id: why it can go, why it stays, and the rows that `--slim` takes from what stays."""

    goes: dict[str, Evidence] = field(default_factory=dict)
    stays: dict[str, str] = field(default_factory=dict)
    slim: dict[str, tuple[int, ...]] = field(default_factory=dict)


def decide(runs: Iterable[tuple[RunFacts, str]], rule: Rule) -> Decision:
    """What is to become of the checkpoints of each run; beside the run stands why it must not be touched, if so."""
    found = Decision()
    for run, busy in runs:
        if busy:
            found.stays |= dict.fromkeys((each.id for each in run.saves), busy)
            continue
        reasons = _reasons(run, rule)
        found.stays |= reasons
        words = _stay([each.name for each in run.whole if each.id in reasons])
        found.goes |= {each.id: Evidence("superseded", words) for each in run.saves if each.id not in reasons}
        if rule.slim and not run.mixed:
            last = {each.id for each in _last(run, 1)}
            for each in run.whole:
                if each.id in reasons and each.id not in last and not {"last", "linked"} & set(each.kept_by):
                    found.slim |= {each.id: each.resume} if each.resume else {}
    return found


def _reasons(run: RunFacts, rule: Rule) -> dict[str, str]:
    """Why each checkpoint stays, without those that need not."""
    ranked = sorted((each.score for each in run.whole if each.score is not None), reverse=True)
    least = ranked[min(rule.best, len(ranked)) - 1] if rule.best and ranked else None
    last = {each.id for each in _last(run, max(rule.last, 1))}
    found = {}
    for each in run.saves:
        words = [word for word in _kept(each, run, rule) if word]
        if rule.best > 1 and not each.trouble and not run.unjudged:
            words += _by_score(each, least)
        if each.id in last and "last" not in each.kept_by:
            words.append(f"among the last {rule.last}" if rule.last > 1 else "the last that is whole")
        if run.unjudged and (rule.best or run.mixed) and not words:
            words.append(UNKNOWN + run.unjudged)
        if words:
            found[each.id] = ", ".join(words)
    return found


def _kept(each: Saved, run: RunFacts, rule: Rule) -> Iterable[str]:
    """Why a checkpoint stays whatever the others are."""
    yield each.trouble
    if "best" in each.kept_by:
        yield f"the best{f' ({run.metric})' if run.metric else ''}"
    if "last" in each.kept_by:
        yield f"the last{' of a run that has ended' if run.ended else ''}"
    if "linked" in each.kept_by:
        yield "a name beside it leads to it"
    if each.step < 0:
        yield "its name tells no step"
    elif rule.every and each.step % rule.every == 0:
        yield f"every {rule.every:,} steps"


def _by_score(each: Saved, least: float | None) -> list[str]:
    if each.score is None:
        return ["how good it is is not known"]
    return ["among the best"] if least is not None and each.score >= least and "best" not in each.kept_by else []


def _last(run: RunFacts, count: int) -> list[Saved]:
    """The last ones that would load, by step; and by time too, where the two disagree."""
    by_step = run.whole[-count:]
    by_time = [] if run.in_order else sorted(run.whole, key=lambda each: each.written)[-count:]
    return [*by_step, *by_time]


def _stay(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more} {'stays' if len(names) == 1 else 'stay'}"

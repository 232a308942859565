"""Cleaning runs: which checkpoints go, which stay and why, and what a slim one can do without."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from statistics import median

import msgspec
from msgspec.structs import replace

from modelyard.api import Survey
from modelyard.api.planning import NONE, doors_of, plan_clean, why_not
from modelyard.inventory import Artifact
from modelyard.plan import Path, Plan, Skipped, Step
from modelyard.policies import clean, removal
from modelyard.policies.checkpoints import COST, Decision, Rule, decide
from modelyard.policies.rules import Rules
from modelyard.policies.rules import kept as keeping
from modelyard.stores.checkpoint_facts import STORE, RunFacts, runs, territory
from modelyard.units import SECOND, SPANS
from modelyard.uses.everyone import Everyone
from modelyard.uses.links import links_into

Make = Callable[[clean.Wish, Mapping[str, clean.Evidence]], Plan]
QUIET = clean.HOUR
QUIET_AT_MOST = SPANS["w"] * SECOND
QUIET_WHEN_ENDED = 10 * SPANS["m"] * SECOND
ONLY = "one whole checkpoint of its run has to stay, and no other would"


def reached(survey: Survey, wish: clean.Wish) -> bool:
    """Whether checkpoints are among what is wished for: by their store, their kind, their run or their id."""
    return any(_within(each, wish) for each in survey.artifacts)


def _within(each: Artifact, wish: clean.Wish) -> bool:
    if each.store != STORE or not (wish.names or wish.kinds):
        return False
    named = not wish.names or any(name in (each.store, each.id, each.group) for name in wish.names)
    return named and (not wish.kinds or each.kind in wish.kinds)


def plan_with_checkpoints(
    survey: Survey,
    everyone: Everyone,
    wish: clean.Wish,
    now: int,
    rule: Rule,
    make: Make | None = None,
    proven: Mapping[str, clean.Evidence] = clean.NOTHING,
    rules: Rules = NONE,
) -> Plan:
    """The plan for a wish, in which runs keep what the rule says; checkpoints that were not wished for all stay.

    `make` makes the plan once it is known which checkpoints may go; `rules` of the user keep more, never less.
    """
    own = rules.of(STORE)
    rule = replace(rule, best=max(rule.best, own.keep_best or 0), last=max(rule.last, own.keep_last or 0))
    make = make or (lambda wish, proven: plan_clean(survey, everyone, wish, now, proven, rules))
    refused = _refused(survey, everyone, wish, now)
    wish = replace(wish, unproven=tuple(each for each in wish.unproven if each not in refused))
    if not reached(survey, wish):
        return _with(make(wish, proven), refused)
    others = [each for each in survey.artifacts if each.id not in wish.unproven]
    found = decide(((run, _busy(survey, everyone, run, now)) for run in runs(survey.tree, others)), rule)
    plan = make(wish, {**proven, **found.goes})
    within = {each.id for each in survey.artifacts if _within(each, wish)}
    stays = {name: why for name, why in found.stays.items() if name in within}
    if not found.slim:
        return _with(plan, refused | stays)
    ruled = keeping(survey.artifacts, rules, now)
    doors = doors_of(survey, everyone)

    def why(number: int) -> str:
        return ruled.get(number, "") or why_not(survey, everyone, doors, number)

    return _slimmed(survey, why, _with(plan, refused | stays), found, wish)


def _with(plan: Plan, more: Mapping[str, str]) -> Plan:
    skipped = [*plan.skipped, *(Skipped(name, why) for name, why in more.items())]
    return msgspec.structs.replace(plan, skipped=skipped).sealed()


def _refused(survey: Survey, everyone: Everyone, wish: clean.Wish, now: int) -> dict[str, str]:
    """The checkpoints that were named one by one and stay all the same: of a run that goes on, or its only ones."""
    named = {each.id: each for each in survey.artifacts if each.store == STORE and each.id in wish.unproven}
    groups = {each.group for each in named.values()}
    members = [each for each in survey.artifacts if each.store == STORE and each.group in groups]
    whole: dict[int, set[str]] = {}
    found: dict[str, str] = {}
    for run in runs(survey.tree, members):
        whole.setdefault(run.folder, set()).update(each.id for each in run.whole)
        busy = _busy(survey, everyone, run, now)
        found |= {each.id: busy for each in run.saves if busy and each.id in named}
    for ids in whole.values():
        if ids and ids <= set(named):
            found |= dict.fromkeys(ids, ONLY)
    return found


def busy(survey: Survey, everyone: Everyone, names: Collection[str], now: int) -> dict[str, str]:
    """Of these artifacts the checkpoints of runs into which a training may be writing, each with the evidence."""
    groups = {each.group for each in survey.artifacts if each.store == STORE and each.id in names}
    found: dict[str, str] = {}
    for run in runs(survey.tree, [each for each in survey.artifacts if each.store == STORE and each.group in groups]):
        why = _busy(survey, everyone, run, now)
        found |= {each.id: why for each in run.saves if why and each.id in names}
    return found


def _busy(survey: Survey, everyone: Everyone, run: RunFacts, now: int) -> str:
    """Why a training may still be writing into a run; empty where nothing speaks for it."""
    tree = survey.tree
    place = territory(tree, run.folder)
    rows = {place}
    if tree.parent(place) is None:  # a home, or a folder that was named: what else is there is not the run's
        rows = {row for row in tree.children(place).values() if tree.is_file(row)}
        rows |= {row for each in survey.artifacts if each.store == STORE for row in each.rows}
        rows = {row for row in rows if tree.parent(row) == place}
    for held in everyone.held:
        if _at_or_above(survey, held.row, rows):
            return f"its run is in use: {held.who} {held.evidence}"
    if not all(tree.is_whole(row) for row in rows):
        return "not everything in its run could be read"
    newest = tree.measure(rows).newest
    age = now - (newest or 0)
    if age >= _quiet(run):
        return ""
    return f"its run was written to {_span(age)}: a training may be going on"


def _at_or_above(survey: Survey, row: int, rows: set[int]) -> bool:
    at: int | None = row
    while at is not None and at not in rows:
        at = survey.tree.parent(at)
    return at is not None


def _quiet(run: RunFacts) -> int:
    """How long nothing may have been written, nanoseconds: twice what usually lies between two of its saves."""
    if run.ended:
        return QUIET_WHEN_ENDED
    times = sorted(each.written for each in run.saves)
    gaps = [after - before for before, after in pairwise(times)]
    return min(max(QUIET, 2 * int(median(gaps))), QUIET_AT_MOST) if gaps else QUIET


def _span(age: int) -> str:
    if age < 0:
        return "in the future"
    minutes = age // (SPANS["m"] * SECOND)
    if minutes < 2:
        return "just now"
    return f"{minutes} minutes ago" if minutes < 120 else f"{minutes // 60} hours ago"


def _slimmed(survey: Survey, against: Callable[[int], str], plan: Plan, found: Decision, wish: clean.Wish) -> Plan:
    """The plan with the steps that make checkpoints slim, as many as are wanted."""
    going = [survey.tree.find(bytes(step.path)) for step in plan.steps]
    before = [row for row in going if row is not None]
    rows = [*before]
    freed = plan.freed
    steps: list[Step] = []
    skipped: dict[str, str] = {}
    slim = _slim(survey, found, wish)
    linked = dict(links_into(survey.tree, [row for _, pieces in slim for row in pieces]))
    for number, pieces in slim:
        if wish.wanted is not None and freed >= wish.wanted:
            break
        name = survey.artifacts[number].id
        links = [f"the link {survey.tree.label(linked[row])} leads to a part of it" for row in pieces if row in linked]
        why = against(number) or next(iter(links), "")
        if why:
            skipped[name] = f"it is not made slim: {why}"
            continue
        rows += pieces
        steps += [_step(survey, row, name) for row in pieces]
        freed += sum(step.freed for step in steps[-len(pieces) :])
    if not steps:
        return _with(plan, skipped) if skipped else plan
    elsewhere = plan.freed - survey.tree.measure(before).sizes.freed  # what services keep
    sizes = survey.tree.measure(rows).sizes
    worst = max(plan.worst_proof, clean.SLIMMED, key=clean.ORDER.index)
    more = {
        "steps": [*plan.steps, *steps],
        "freed": sizes.freed + elsewhere,
        "exact": sizes.exact and plan.exact,
        "worst_proof": worst,
    }
    return _with(msgspec.structs.replace(plan, **more), skipped)


def _slim(survey: Survey, found: Decision, wish: clean.Wish) -> list[tuple[int, list[int]]]:
    """The checkpoints that can be made slim, with the rows to take, most bytes first."""
    pieces = []
    for number, each in enumerate(survey.artifacts):
        used = each.last_used
        fits = wish.unused_since is None or (used is not None and used.at < wish.unused_since)
        kept = any(pattern in each.id for pattern in wish.keep)
        if each.id in found.slim and _within(each, wish) and fits and not kept:
            rows = [row for row in found.slim[each.id] if survey.claims.owners_of(row) == [number]]
            pieces += [(number, rows)] if rows else []
    return sorted(pieces, key=lambda item: -survey.tree.measure(item[1]).sizes.freed)


def _step(survey: Survey, row: int, name: str) -> Step:
    tree = survey.tree
    words = f"{clean.SLIMMED}: {COST}"
    freed = tree.measure([row]).sizes.freed
    return Step("remove", Path.of(tree.path(row)), removal.mark(tree, row), name, "none", words, freed)

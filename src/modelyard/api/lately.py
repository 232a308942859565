"""What speaks against a plan by now: it may have been saved long ago, or waited for its question to be answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.checkpoints import busy
from modelyard.api.deduping import Facts
from modelyard.api.movable import is_inside
from modelyard.api.planning import doors_of, why_not
from modelyard.apply.engine import Watch
from modelyard.plan import Plan, Step
from modelyard.policies import dedupe
from modelyard.policies.rules import PINNED, Rules
from modelyard.policies.rules import kept as keeping
from modelyard.uses.everyone import Everyone
from modelyard.uses.links import links_into
from modelyard.walk.tree import Tree

GOING = ("remove", "ask")
BRINGING = ("copy", "move")


def doubts(survey: Survey, everyone: Everyone, plan: Plan, rules: Rules, now: int) -> dict[str, str]:
    """By artifact, by path where it belongs to none, why it must stay as it is; `now` in nanoseconds since 1970.

    By a survey made just now: what is pinned, in use or kept by a rule, needed by something new, or linked into.
    """
    names = {name for step in plan.steps if step.do in GOING for name in step.artifacts}
    numbers = {number: each.id for number, each in enumerate(survey.artifacts) if each.id in names}
    doors, ruled = doors_of(survey, everyone), keeping(survey.artifacts, rules, now)
    found = dict(_needed(survey, plan, names))
    found |= busy(survey, everyone, names, now)
    for number, name in numbers.items():
        if why := ruled.get(number) or why_not(survey, everyone, doors, number):
            found[name] = why
    return {**found, **dict(_otherwise(survey, everyone, plan, rules)), **dict(_moved(survey, everyone, plan, rules))}


def _otherwise(survey: Survey, everyone: Everyone, plan: Plan, rules: Rules) -> Iterator[tuple[str, str]]:
    """The equal files with which something else would be done by now: they are pinned, kept, in use, another tool's."""
    facts = Facts(survey, rules.pins, everyone)
    for step in plan.steps:
        if step.do not in dedupe.STEPS or step.other is None:
            continue
        kept, other = survey.tree.find(bytes(step.other)), survey.tree.find(bytes(step.path))
        if kept is not None and other is not None:
            now = dedupe.pairing(facts.of(kept), facts.of(other), facts.user)
            if now.way != dedupe.STEPS[step.do]:
                yield name_of(step), now.why


def _moved(survey: Survey, everyone: Everyone, plan: Plan, rules: Rules) -> Iterator[tuple[str, str]]:
    """What would get another place while something in it is pinned, kept or used by now."""
    if not plan.moves:
        return
    doors, name = doors_of(survey, everyone), plan.moves[0].artifact
    sources = [step.other if step.do == "copy" else step.path for step in plan.steps if step.do in BRINGING]
    rows = [row for each in sources if each and (row := survey.tree.find(bytes(each))) is not None]
    for number, each in enumerate(survey.artifacts):
        if is_inside(survey.tree, each, rows):
            pinned = PINNED if each.id in rules.pins else ""
            if why := pinned or why_not(survey, everyone, doors, number):
                yield name, f"{each.id}: {why}"


def name_of(step: Step) -> str:
    """What a step is about: its artifact, or its path where that belongs to none."""
    return step.artifact or step.path.text


def _needed(survey: Survey, plan: Plan, names: set[str]) -> Iterator[tuple[str, str]]:
    """The artifacts that came to share something with one that the plan does not hold, or into which a link leads."""
    tree = survey.tree
    removals = [step for step in plan.steps if step.do == "remove"]
    steps = {row: step for step in removals if (row := tree.find(bytes(step.path))) is not None}
    for row, step in steps.items():
        others = {survey.artifacts[number].id for number in survey.claims.owners_of(row)} - names
        for name in step.artifacts if others else ():
            yield name, f"{min(others)} needs a part of it by now"
    for row, link in links_into(tree, steps):
        for name in steps[row].artifacts if row in steps else ():
            yield name, f"the link {tree.label(link)} leads to it"


class Lately(Struct):
    """Refuses what is doubted, and asks another watch of the rest."""

    watch: Watch
    doubted: Mapping[str, str]

    def look(self, tree: Tree) -> None:
        """Hands it on."""
        self.watch.look(tree)

    def why(self, step: Step) -> str:
        """The doubt of any artifact that the step is a part of, or the reason of the other watch."""
        names = (name_of(step), *step.also)
        return next((self.doubted[each] for each in names if each in self.doubted), "") or self.watch.why(step)

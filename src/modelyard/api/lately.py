"""What speaks against a plan by now: it may have been saved long ago, or waited for its question to be answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.checkpoints import busy
from modelyard.api.planning import doors_of, why_not
from modelyard.apply.engine import Watch
from modelyard.plan import Plan, Step
from modelyard.policies.rules import Rules
from modelyard.policies.rules import kept as keeping
from modelyard.uses.everyone import Everyone
from modelyard.uses.links import links_into
from modelyard.walk.tree import Tree

GOING = ("remove", "ask")


def doubts(survey: Survey, everyone: Everyone, plan: Plan, rules: Rules, now: int) -> dict[str, str]:
    """By artifact why it must stay, by a survey made just now; `now` in nanoseconds since 1970.

    What is pinned, in use, or kept by a rule meanwhile, and what something new shares with others or links into.
    """
    names = {name for step in plan.steps if step.do in GOING for name in step.artifacts}
    numbers = {number: each.id for number, each in enumerate(survey.artifacts) if each.id in names}
    doors, ruled = doors_of(survey, everyone), keeping(survey.artifacts, rules, now)
    found = dict(_needed(survey, plan, names))
    found |= busy(survey, everyone, names, now)
    for number, name in numbers.items():
        if why := ruled.get(number) or why_not(survey, everyone, doors, number):
            found[name] = why
    return found


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
        return next((self.doubted[each] for each in step.artifacts if each in self.doubted), "") or self.watch.why(step)

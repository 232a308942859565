"""Plans: what would go with its proofs, and what is left out with the reasons."""

from __future__ import annotations

import os
import platform as machine
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from modelyard.api import KEEP, Survey
from modelyard.inventory import Artifact
from modelyard.plan import Origin, Plan, Skipped
from modelyard.policies import clean, removal
from modelyard.policies.rules import Budget, Rules, budgets
from modelyard.policies.rules import kept as keeping
from modelyard.uses.everyone import Everyone
from modelyard.uses.links import links_into
from modelyard.walk.mounts import mount_of
from modelyard.walk.text import shown

HOLDING = ("process", "server", "container", "kernel")
TITLE = "clean"
NONE = Rules()


def now_text() -> str:
    """The time in UTC, as plans and journals write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plan_clean(
    survey: Survey,
    everyone: Everyone,
    wish: clean.Wish,
    now: int,
    proven: Mapping[str, clean.Evidence] = clean.NOTHING,
    rules: Rules = NONE,
) -> Plan:
    """What would go, with the evidence for each artifact; `proven` as for the policy, `rules` keep what they say."""
    kept, skipped = _kept(survey, everyone, wish, now, proven, rules)
    if wish.wanted is not None:
        kept = clean.enough(kept, lambda numbers: survey.claims.measure(numbers).sizes, wish.wanted)
    return _plan(survey, kept, skipped)


def plan_policy(
    survey: Survey, everyone: Everyone, rules: Rules, now: int, proven: Mapping[str, clean.Evidence] = clean.NOTHING
) -> Plan:
    """What the rules ask for: everything proven of the stores that they name, no more than it takes for `min_free`."""
    names = rules.named(each.store.name for each in survey.holdings)
    kept, skipped = _kept(survey, everyone, clean.Wish(names), now, proven, rules) if names else ([], [])
    free = disks_of(survey)
    whole: list[clean.Candidate] = []
    parts: dict[str, list[clean.Candidate]] = defaultdict(list)
    for each in kept:
        store = survey.artifacts[each.number].store
        (parts[free[store][0]] if rules.of(store).min_free is not None and store in free else whole).append(each)
    for name, members in parts.items():
        stores = {survey.artifacts[each.number].store for each in members}
        available = next(free[store][1] for store in stores if free[store][0] == name)
        missing = max(rules.of(store).min_free or 0 for store in stores) - available
        if missing > 0:
            whole += clean.enough(members, lambda numbers: survey.claims.measure(numbers).sizes, missing)
    return _plan(survey, whole, skipped)


def check(survey: Survey, rules: Rules) -> list[Budget]:
    """The budgets of the rules against what is here, the exceeded ones first."""
    taken = {each.store.name: each.sizes.allocated + each.unclaimed for each in survey.holdings}
    return budgets(rules, taken, disks_of(survey))


def disks_of(survey: Survey) -> dict[str, tuple[str, int]]:
    """By store the disk on which its first root lies, and the bytes free there."""
    found = {}
    for holding in survey.holdings:
        root = next((each for each in holding.roots if each.row is not None), None)
        if root is not None and os.path.isdir(root.path):
            space, mount = os.statvfs(root.path), mount_of(os.stat(root.path).st_dev)
            name = shown(mount.path) if mount else root.path
            found[holding.store.name] = (name, space.f_bavail * space.f_frsize)
    return found


def _kept(
    survey: Survey,
    everyone: Everyone,
    wish: clean.Wish,
    now: int,
    proven: Mapping[str, clean.Evidence],
    rules: Rules,
) -> tuple[list[clean.Candidate], list[Skipped]]:
    """The candidates that nothing speaks against, and the others with the reason."""
    artifacts = survey.artifacts
    found = clean.chosen(artifacts, clean.candidates(artifacts, now, proven), wish)
    skipped: list[Skipped] = []
    kept = []
    linked = _linked(survey, {each.number for each in found})
    ruled = keeping(artifacts, rules, now)
    for each in found:
        why = ruled.get(each.number) or _why_not(survey, everyone, each.number) or linked.get(each.number, "")
        if why:
            skipped.append(Skipped(artifacts[each.number].id, why))
        else:
            kept.append(each)
    return kept, skipped


def _why_not(survey: Survey, everyone: Everyone, number: int) -> str:
    artifact = survey.artifacts[number]
    if artifact.store == "trash":
        return "`modelyard purge` frees it"
    if not artifact.rows:
        return "its service removes it, not modelyard"
    if _pinned(survey, artifact):
        return f"a {KEEP} file keeps it"
    for use in everyone.of(number):
        if use.by in HOLDING:
            return f"{use.who} {use.evidence}"
    return ""


def _pinned(survey: Survey, artifact: Artifact) -> bool:
    """Whether a keep file lies in or above one of its rows."""
    keeps = {survey.tree.parent(row) for row in survey.tree.marks().get(KEEP, ())}
    for row in artifact.rows if keeps else ():
        at: int | None = row
        while at is not None:
            if at in keeps:
                return True
            at = survey.tree.parent(at)
    inside = {survey.tree.path(keep) for keep in keeps if keep is not None}
    return any(path.startswith(survey.tree.path(row) + b"/") for row in artifact.rows for path in inside)


def _linked(survey: Survey, numbers: set[int]) -> dict[int, str]:
    """The artifacts that links of others lead into."""
    found: dict[int, str] = {}
    rows = survey.claims.removable(numbers)
    for row, link in links_into(survey.tree, rows):
        for owner in survey.claims.owners_of(row):
            found.setdefault(owner, f"the link {survey.tree.label(link)} leads to it")
    return found


def _plan(survey: Survey, kept: Sequence[clean.Candidate], skipped: list[Skipped]) -> Plan:
    numbers = {each.number for each in kept}
    proofs = {survey.artifacts[each.number].id: each for each in kept}
    steps = removal.steps(survey.tree, survey.claims, survey.artifacts, numbers, proofs)
    sizes = survey.claims.measure(numbers).sizes
    roots = [shown(root.path) for each in survey.holdings for root in each.roots if root.row is not None]
    origin = Origin(machine.node(), os.getuid(), survey.home, [*survey.starts], now_text())
    stays = [Skipped(survey.artifacts[number].id, why) for number, why in _left(survey, numbers)]
    return Plan(
        TITLE, now_text(), origin, steps, roots, sizes.freed, sizes.exact, clean.worst(kept), [*skipped, *stays]
    ).sealed()


def _left(survey: Survey, numbers: set[int]) -> Iterator[tuple[int, str]]:
    """Artifacts of the plan of which something stays, because another needs it."""
    gone = set(survey.claims.removable(numbers))
    for number in sorted(numbers):
        if any(True for _ in removal.left_behind(survey.tree, survey.claims, gone, number)):
            yield number, "a part of it stays: something else needs it"

"""Plans: what would go with its proofs, and what is left out with the reasons."""

from __future__ import annotations

import os
import platform as machine
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from modelyard.api import Survey
from modelyard.api.disks import disks_of, first_roots, lies_on, waiting
from modelyard.api.environments import prefix_of
from modelyard.api.keep_files import KEPT, pinned
from modelyard.inventory import Artifact, Sizes
from modelyard.plan import RATE, Break, Copy, Freeze, Origin, Path, Plan, Root, Skipped, Step, as_root
from modelyard.policies import asking, clean, removal
from modelyard.policies.outlived import outlived
from modelyard.policies.rules import Budget, Rules, budgets
from modelyard.policies.rules import kept as keeping
from modelyard.units import SECOND
from modelyard.uses.everyone import Everyone
from modelyard.uses.installed import installed
from modelyard.uses.links import links_into
from modelyard.walk.checksums import checksum_share
from modelyard.walk.extents import shared_among
from modelyard.walk.mounts import mounts
from modelyard.walk.text import shown

HOLDING = ("process", "server", "container", "kernel")
NAMELESS = ("leftover", "superseded")
TITLE = "clean"
NONE = Rules()
EXACT = "%Y-%m-%dT%H:%M:%S.%fZ"


def now_text() -> str:
    """The time in UTC, as plans and journals write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_now() -> str:
    """The same to the microsecond: two plans that are made one after the other are two plans."""
    return datetime.now(UTC).strftime(EXACT)


def origin_of(survey: Survey, more: Sequence[str] = ()) -> Origin:
    """The survey that a plan comes from, with `more` folders in which it changes something."""
    roots = [as_root(each) for each in (*survey.starts, *dict.fromkeys(more))]
    seen = datetime.fromtimestamp(survey.at / SECOND, UTC).strftime(EXACT)
    return Origin(machine.node(), os.getuid(), as_root(survey.home), roots, exact_now(), seen)


def plan_clean(
    survey: Survey,
    everyone: Everyone,
    wish: clean.Wish,
    now: int,
    proven: Mapping[str, clean.Evidence] = clean.NOTHING,
    rules: Rules = NONE,
    rate: int = RATE,
) -> Plan:
    """What would go, with the evidence for each artifact; `proven` as for the policy, `rules` keep what they say.

    `rate` in bits a second tells how long it takes to fetch things again.
    """
    kept, skipped = _kept(survey, everyone, wish, now, proven, rules)
    if wish.device is not None:
        kept = [each for each in kept if lies_on(survey, survey.artifacts[each.number], wish.device)]
    if wish.wanted is not None:
        kept = clean.enough(kept, lambda numbers: survey.claims.measure(numbers).sizes, wish.wanted)
    return _plan(survey, everyone, kept, skipped, rate)


def plan_policy(
    survey: Survey,
    everyone: Everyone,
    rules: Rules,
    now: int,
    proven: Mapping[str, clean.Evidence] = clean.NOTHING,
    rate: int = RATE,
) -> Plan:
    """What the rules ask for: everything proven of the stores that they name, no more than it takes for `min_free`."""
    wish = policy_wish(survey, rules)
    kept, skipped = _kept(survey, everyone, wish, now, proven, rules) if wish.names else ([], [])
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
        missing -= sum(waiting(survey, os.stat(root.path).st_dev) for root in first_roots(survey, stores)[:1])
        if missing > 0:
            whole += clean.enough(members, lambda numbers: survey.claims.measure(numbers).sizes, missing)
    return _plan(survey, everyone, whole, skipped, rate)


def policy_wish(survey: Survey, rules: Rules) -> clean.Wish:
    """The stores that the rules name."""
    return clean.Wish(rules.named(each.store.name for each in survey.holdings))


def check(survey: Survey, rules: Rules) -> list[Budget]:
    """The budgets of the rules against what is here, the exceeded ones first."""
    taken = {each.store.name: each.sizes.allocated + each.unclaimed for each in survey.holdings}
    return budgets(rules, taken, disks_of(survey))


def roots_of(survey: Survey) -> list[Root]:
    """The roots of its stores, in which no trash may be made."""
    return [as_root(root.path) for each in survey.holdings for root in each.roots if root.row is not None]


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
    if any(each.kind == "compile cache" for each in artifacts):
        here = installed(survey.tree, artifacts)
        proven = {**outlived(artifacts, here.versions, here.pythons), **proven}
    found = clean.chosen(artifacts, clean.candidates(artifacts, now, proven), wish)
    skipped = _doubts(proven, {artifacts[each.number].id for each in found})
    kept = []
    linked = _linked(survey, {each.number for each in found})
    doors = doors_of(survey, everyone)
    ruled = keeping(artifacts, rules, now)
    for each in found:
        why = ruled.get(each.number) or why_not(survey, everyone, doors, each.number) or linked.get(each.number, "")
        if why:
            skipped.append(Skipped(artifacts[each.number].id, why))
        else:
            kept.append(each)
    return _beside(survey, kept, skipped), skipped


def _doubts(proven: Mapping[str, clean.Evidence], taken: Collection[str]) -> list[Skipped]:
    """What was asked about in vain, and is not taken all the same because somebody named it."""
    doubtful = [(name, each) for name, each in proven.items() if each.proof == clean.UNPROVEN]
    return [Skipped(name, each.words) for name, each in doubtful if name not in taken]


def _beside(survey: Survey, kept: Sequence[clean.Candidate], skipped: list[Skipped]) -> list[clean.Candidate]:
    """Those that are no duplicates, and duplicates beside which the copy stays."""
    going = {survey.artifacts[each.number].id for each in kept}
    alone = [each for each in kept if each.beside in going]
    skipped += [Skipped(survey.artifacts[each.number].id, f"its copy {each.beside} would go too") for each in alone]
    return [each for each in kept if each.beside not in going]


def doors_of(survey: Survey, everyone: Everyone) -> asking.Doors:
    """Where the services of a survey answer."""
    return asking.doors(survey.holdings, survey.artifacts, everyone.ollama, os.getuid())


def why_not(survey: Survey, everyone: Everyone, doors: asking.Doors, number: int) -> str:
    """Why nothing of an artifact may go now, whatever is proven of it; empty when it may."""
    artifact = survey.artifacts[number]
    if artifact.store == "trash":
        return "`modelyard purge` frees it"
    if artifact.kind == "environment" and artifact.recovery == "re-solve" and not _has_prefix(survey, artifact):
        return "no capsule can be written of it"
    if isinstance(told := asking.asked(artifact, survey.tree, doors), str):
        return told
    if pinned(survey, artifact):
        return KEPT
    for use in everyone.of(number):
        if use.by in HOLDING:
            return f"{use.who} {use.evidence}"
    return _mounted(survey, artifact)


def _mounted(survey: Survey, artifact: Artifact) -> str:
    """What is mounted in an artifact: a rename would take it along, and nothing of it was looked at."""
    starts = tuple(os.fsencode(start).rstrip(b"/") + b"/" for start in survey.starts)
    near = [mount.path + b"/" for mount in mounts() if mount.path.startswith(starts)]
    rows = artifact.rows if near else ()
    found = (each for row in rows for each in near if each.startswith(survey.tree.path(row) + b"/"))
    return next((f"{shown(each[:-1])} is mounted in it" for each in found), "")


def _has_prefix(survey: Survey, artifact: Artifact) -> bool:
    try:
        return bool(prefix_of(survey, artifact))
    except LookupError:
        return False


def _linked(survey: Survey, numbers: set[int]) -> dict[int, str]:
    """The artifacts that links of others lead into."""
    found: dict[int, str] = {}
    rows = survey.claims.removable(numbers)
    for row, link in links_into(survey.tree, rows):
        for owner in survey.claims.owners_of(row):
            found.setdefault(owner, f"the link {survey.tree.label(link)} leads to it")
    return found


def _plan(
    survey: Survey, everyone: Everyone, kept: Sequence[clean.Candidate], skipped: Sequence[Skipped], rate: int
) -> Plan:
    artifacts, doors = survey.artifacts, doors_of(survey, everyone)
    needed = asking.built_on(artifacts, {each.number for each in kept})
    kept = [each for each in kept if each.number not in needed]
    numbers = {each.number for each in kept}
    proofs = {artifacts[each.number].id: each for each in kept}
    told = {number: asking.asked(artifacts[number], survey.tree, doors) for number in numbers}
    asks = {number: each for number, each in told.items() if isinstance(each, asking.Asked)}
    moved = numbers - set(asks)
    steps = [
        *removal.steps(survey.tree, survey.claims, artifacts, moved, proofs),
        *asking.steps(artifacts, asks, proofs),
    ]
    sizes = _sizes(survey, steps, set(asks))
    stays = [Skipped(artifacts[number].id, why) for number, why in (*needed.items(), *_left(survey, moved))]
    likely = _likely(survey, set(survey.claims.removable(moved)), sizes)
    again = {each.number for each in kept if each.fetch}
    return Plan(
        TITLE,
        now_text(),
        origin_of(survey),
        steps,
        roots_of(survey),
        sizes.freed,
        sizes.exact,
        clean.worst(kept),
        [*skipped, *stays],
        likely,
        removal.fetched(survey.tree, survey.claims, artifacts, numbers, again),
        rate,
        list(_copies(survey, kept)),
        list(_breaks(survey, everyone, kept)),
        list(_freezes(survey, moved)),
    ).sealed()


def _freezes(survey: Survey, numbers: set[int]) -> Iterator[Freeze]:
    """The environments that go."""
    for number in sorted(numbers):
        artifact = survey.artifacts[number]
        if artifact.kind == "environment" and artifact.recovery == "re-solve":
            yield Freeze(artifact.id, Path.of(os.fsencode(prefix_of(survey, artifact))))


def _sizes(survey: Survey, steps: Sequence[Step], asked: set[int]) -> Sizes:
    """What the steps free, folders that go empty with what was in them too, and what services give back."""
    rows = [row for step in steps if step.do == "remove" and (row := survey.tree.find(bytes(step.path))) is not None]
    moved, services = survey.tree.measure(rows).sizes, survey.claims.measure(asked).sizes
    return replace(moved, freed=moved.freed + services.freed, exact=moved.exact and services.exact)


def _copies(survey: Survey, kept: Sequence[clean.Candidate]) -> Iterator[Copy]:
    """The files that have to stay for the sake of those that go."""
    tree = survey.tree
    for each in kept:
        for row in each.copies:
            yield Copy(survey.artifacts[each.number].id, Path.of(tree.path(row)), removal.mark(tree, row))


def _breaks(survey: Survey, everyone: Everyone, kept: Sequence[clean.Candidate]) -> Iterator[Break]:
    """Who names what goes, but for leftovers and what was superseded, which nothing finds by its name."""
    for each in kept:
        for use in everyone.of(each.number) if each.proof not in NAMELESS else ():
            if use.by not in HOLDING and use.confidence != "low":
                yield Break(survey.artifacts[each.number].id, use.who, use.evidence)


def _likely(survey: Survey, rows: set[int], sizes: Sizes) -> int:
    """Bytes beyond those that surely come back: extents that the rows share among themselves, checksums of btrfs."""
    shared = 0 if sizes.exact else shared_among(survey.tree, rows)
    folders = {os.path.dirname(survey.tree.path(row)) for row in rows}
    shares = {checksum_share(os.fsdecode(folder)) for folder in folders}
    return shared + int((sizes.freed + shared) * min(shares, default=0.0))


def _left(survey: Survey, numbers: set[int]) -> Iterator[tuple[int, str]]:
    """Artifacts of the plan of which something stays, because another needs it."""
    gone = set(survey.claims.removable(numbers))
    for number in sorted(numbers):
        if any(True for _ in removal.left_behind(survey.tree, survey.claims, gone, number)):
            yield number, "a part of it stays: something else needs it"

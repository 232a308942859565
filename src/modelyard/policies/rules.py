"""What the user's own settings keep out of every plan, and the budgets that they set. Rules only ever narrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import fields, replace

from modelyard.inventory import Artifact
from modelyard.units import SECOND, SPANS

PINNED = "it is pinned: `modelyard pin --remove` lets it go"
EVERY = "all"
"""The name under which the rule of every store stands."""


class Rule(Struct, frozen=True):
    """What holds for one store; spans in nanoseconds, sizes in bytes, None where nothing was said."""

    never: bool | None = None
    unused_for: int | None = None
    keep_last: int | None = None
    """So many of every group stay: the newest revisions of a repository, the last checkpoints of a run."""
    keep_best: int | None = None
    """So many checkpoints of a run stay, the best by the metric that the run names."""
    min_free: int | None = None
    """`clean --policy` removes no more than it takes until so much of the store's disk is free."""
    max_size: int | None = None
    """`check` complains when the store takes more."""


class Rules(Struct, frozen=True):
    """The rules by store, what holds for every store under `EVERY`, and how long the trash is kept."""

    stores: Mapping[str, Rule] = field(default_factory=dict)
    trash_for: int | None = None
    purge_itself: bool = False
    pins: frozenset[str] = frozenset()
    """Ids that are never in a plan."""

    def of(self, store: str) -> Rule:
        """What holds for a store: its own words, and those for every store where it has none."""
        own = self.stores.get(store, Rule())
        every = self.stores.get(EVERY, Rule())
        missing = {each.name: getattr(every, each.name) for each in fields(Rule) if getattr(own, each.name) is None}
        return replace(own, **missing)

    def named(self, stores: Iterable[str]) -> tuple[str, ...]:
        """The stores that rules speak of, all of them where a rule is for every store."""
        return tuple(name for name in stores if EVERY in self.stores or name in self.stores)


def kept(artifacts: Sequence[Artifact], rules: Rules, now: int) -> dict[int, str]:
    """The numbers of the artifacts that rules keep, each with the rule in words; `now` in nanoseconds since 1970."""
    found = _last(artifacts, rules)
    for number, artifact in enumerate(artifacts):
        rule = rules.of(artifact.store)
        if artifact.id in rules.pins:
            found[number] = PINNED
        elif rule.never:
            found[number] = "a rule of yours: never"
        elif rule.unused_for is not None and number not in found:
            words = _recently(artifact, rule.unused_for, now)
            if words:
                found[number] = words
    return found


def _recently(artifact: Artifact, span: int, now: int) -> str:
    """Why an artifact does not count as unused; what is left over has no user."""
    if artifact.state != "complete":
        return ""
    days = span // (SPANS["d"] * SECOND)
    if artifact.last_used is None:
        return f"a rule of yours: unused for {days} days, and nothing tells when it was used"
    if now - artifact.last_used.at < span:
        return f"a rule of yours: unused for {days} days"
    return ""


def _last(artifacts: Sequence[Artifact], rules: Rules) -> dict[int, str]:
    """The newest complete ones of each group, as many as its rule keeps."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, artifact in enumerate(artifacts):
        if artifact.group and artifact.state == "complete":
            groups.setdefault((artifact.store, artifact.group), []).append(number)
    found: dict[int, str] = {}
    for (store, _), numbers in groups.items():
        count = rules.of(store).keep_last or 0
        newest = sorted(numbers, key=lambda number: (artifacts[number].written or 0, artifacts[number].id))[::-1]
        found |= dict.fromkeys(newest[:count], f"a rule of yours: the last {count} stay")
    return found


class Budget(Struct, frozen=True):
    """A limit of the user's settings and what was found; bytes. `least`: the limit is the least, else the most."""

    name: str
    limit: int
    found: int
    least: bool

    @property
    def exceeded(self) -> bool:
        """Whether it does not hold."""
        return self.found < self.limit if self.least else self.found > self.limit


def budgets(rules: Rules, taken: Mapping[str, int], free: Mapping[str, tuple[str, int]]) -> list[Budget]:
    """The budgets of the rules: `taken` has allocated bytes by store, `free` the disk of a store and its free bytes."""
    found: dict[str, Budget] = {}
    for store, size in taken.items():
        rule = rules.of(store)
        own = rules.stores.get(store, Rule())
        if own.max_size is not None:
            found[store] = Budget(store, own.max_size, size, least=False)
        if rule.min_free is not None and store in free:
            disk, available = free[store]
            name = f"free on {disk}"
            limit = max(rule.min_free, found[name].limit if name in found else 0)
            found[name] = Budget(name, limit, available, least=True)
    every = rules.stores.get(EVERY, Rule()).max_size
    if every is not None:
        found[EVERY] = Budget(EVERY, every, sum(taken.values()), least=False)
    return sorted(found.values(), key=lambda each: (not each.exceeded, each.name))

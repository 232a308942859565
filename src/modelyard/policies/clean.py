"""What may go without loss, and by what evidence: each rule names the proof that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelyard.inventory import Artifact, Sizes
from modelyard.units import SECOND, SPANS

HOUR = SPANS["h"] * SECOND
UNPROVEN = "unproven"
ORDER = ("leftover", "superseded", "duplicate", "re-make", "re-get", "re-solve", UNPROVEN)
"""Proof classes, the surest first."""

Freed = Callable[[Collection[int]], Sizes]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why an artifact can go: the class of the proof, what it rests on, and how many bytes bring it back."""

    proof: str
    words: str
    fetch: int = 0


NOTHING: Mapping[str, Evidence] = {}
OWN = ("model", "dataset", "checkpoint", "environment", "run", "image", "container", "volume", "other")
"""Kinds that people work with; the others are caches of tools."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact that could go: its number, the class of its proof, and the evidence in words."""

    number: int
    proof: str
    evidence: str
    fetch: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for: names of stores, groups or artifacts narrow it; `unproven` are ids named one by one."""

    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    unused_since: int | None = None
    keep: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    wanted: int | None = None
    """Bytes that are enough; None for everything that fits."""

    @property
    def asked(self) -> bool:
        """Whether more is wanted than what nobody would miss."""
        return bool(self.names or self.kinds) or self.unused_since is not None or self.wanted is not None


def candidates(artifacts: Sequence[Artifact], now: int, proven: Mapping[str, Evidence] = NOTHING) -> list[Candidate]:
    """Every artifact with the proof that it can go; `now` in nanoseconds since 1970.

    `proven` is what was found out elsewhere, by id: asked from the source, compared with a copy, kept in a capsule.
    """
    named = _named(artifacts)
    found = []
    for number, artifact in enumerate(artifacts):
        evidence = _evidence(artifact, named, now)
        if evidence.proof == UNPROVEN:
            evidence = proven.get(artifact.id, evidence)
        found.append(Candidate(number, evidence.proof, evidence.words, evidence.fetch))
    return found


def _named(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """By group the revision that a branch or tag still points to."""
    found: dict[str, str] = {}
    for each in artifacts:
        if each.group and each.revision and each.tags and "detached" not in each.tags and each.state == "complete":
            found.setdefault(each.group, each.revision)
    return found


def _evidence(artifact: Artifact, named: dict[str, str], now: int) -> Evidence:
    size = artifact.sizes.apparent
    idle = artifact.written is None or now - artifact.written >= HOUR
    comes_back = artifact.recovery in ("re-get", "re-make")
    if artifact.state == "partial" and artifact.recovery == "re-get":
        if idle:
            return Evidence("leftover", "an unfinished download that nothing wrote to for an hour")
        return Evidence(UNPROVEN, "an unfinished download that was written to within the hour")
    if artifact.state == "orphan" and comes_back and idle:
        return Evidence("leftover", "nothing names it any more")
    if artifact.state != "complete":
        return Evidence(UNPROVEN, f"it is {artifact.state}")
    if "detached" in artifact.tags and artifact.group in named and artifact.recovery == "re-get":
        words = f"no branch or tag points to it; one points to {named[artifact.group][:12]}"
        return Evidence("superseded", words, size)
    if artifact.kind in ("package cache", "compile cache") and comes_back:
        if artifact.recovery == "re-make":
            return Evidence("re-make", "its tool builds it again")
        return Evidence("re-get", "its tool fetches it again", size)
    return Evidence(UNPROVEN, "nothing proves that it would come back")


def chosen(artifacts: Sequence[Artifact], found: Iterable[Candidate], wish: Wish) -> list[Candidate]:
    """The candidates that fit the wish: proven ones, and unproven ones that were named."""
    return [each for each in found if _fits(artifacts[each.number], each, wish)]


def _fits(artifact: Artifact, candidate: Candidate, wish: Wish) -> bool:
    if any(pattern in artifact.id for pattern in wish.keep):
        return False
    if candidate.proof == UNPROVEN:
        return artifact.id in wish.unproven
    if wish.names and not any(name in (artifact.store, artifact.id, artifact.group) for name in wish.names):
        return artifact.id in wish.unproven
    if wish.kinds and artifact.kind not in wish.kinds:
        return False
    if artifact.state == "complete" and artifact.kind == "compile cache" and not (wish.names or wish.kinds):
        return False  # building it again may take hours: only when it is asked for
    if artifact.state == "complete" and artifact.kind in OWN and candidate.proof != "superseded" and not wish.asked:
        return False  # somebody works with it, though it would come back
    used = artifact.last_used
    return wish.unused_since is None or (used is not None and used.at < wish.unused_since)


def enough(found: Sequence[Candidate], freed: Freed, wanted: int) -> list[Candidate]:
    """A set that really frees so many bytes, the surest proofs first and the largest of each; all when none does.

    The shortest such prefix, without those that turned out not to be needed. A set frees at least what its members
    free alone, so it is at most one member of the weakest class larger than it has to be where nothing is shared.
    """
    alone = {each.number: freed({each.number}).freed for each in found}
    ordered = sorted(found, key=lambda each: (ORDER.index(each.proof), -alone[each.number], each.number))
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if freed(_numbers(ordered[:middle])).freed >= wanted:
            high = middle
        else:
            low = middle + 1
    return _needed(ordered[:low], alone, freed, wanted)


def _needed(taken: list[Candidate], alone: dict[int, int], freed: Freed, wanted: int) -> list[Candidate]:
    """Puts back what is not needed, the weakest proof and the largest first."""
    surplus = freed(_numbers(taken)).freed - wanted
    for each in sorted(taken, key=lambda each: (-ORDER.index(each.proof), -alone[each.number])):
        rest = [other for other in taken if other is not each]
        if alone[each.number] <= surplus and freed(_numbers(rest)).freed >= wanted:
            taken, surplus = rest, freed(_numbers(rest)).freed - wanted
    return taken


def _numbers(found: Iterable[Candidate]) -> set[int]:
    return {each.number for each in found}


def worst(found: Iterable[Candidate]) -> str:
    """The weakest class of proof among them."""
    return max((each.proof for each in found), key=ORDER.index, default=ORDER[0])

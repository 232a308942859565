"""What may go without loss, and by what evidence: each rule names the proof that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Artifact, Sizes
from modelyard.units import SECOND, SPANS, rfc3339

HOUR = SPANS["h"] * SECOND
UNPROVEN = "unproven"
SLIMMED = "slimmed"
"""Of steps that take from a checkpoint what only an exact resume of its training needs; only when it is asked for."""
ORDER = ("leftover", "superseded", "duplicate", "re-make", "re-get", "re-solve", SLIMMED, UNPROVEN)
"""Proof classes, the surest first."""

Freed = Callable[[Collection[int]], Sizes]


class Evidence(Struct, frozen=True):
    """Why an artifact can go: the class of the proof, what it rests on, and how many bytes bring it back.

    A duplicate names the artifact `beside` it that has to stay, and the rows of the `copies` there.
    """

    proof: str
    words: str
    fetch: int = 0
    beside: str = ""
    copies: tuple[int, ...] = ()


IN_USE = "in use"
"""The tag of what an engine says a build uses now."""
NOTHING: Mapping[str, Evidence] = {}
OWN = ("model", "dataset", "checkpoint", "environment", "run", "image", "container", "volume", "other")
"""Kinds that people work with; the others are caches of tools."""


class Candidate(Struct, frozen=True):
    """An artifact that could go: its number, the class of its proof, and the evidence in words."""

    number: int
    proof: str
    evidence: str
    fetch: int = 0
    beside: str = ""
    copies: tuple[int, ...] = ()


class Wish(Struct, frozen=True):
    """What a person asked for: names of stores, groups or artifacts narrow it; `unproven` are ids named one by one."""

    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    unused_since: int | None = None
    keep: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    wanted: int | None = None
    """Bytes that are enough; None for everything that fits."""
    device: int | None = None
    """The only device on which space is wanted."""

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
        other = proven.get(artifact.id, evidence)
        if evidence.proof == UNPROVEN or ORDER.index(other.proof) < ORDER.index(evidence.proof):
            evidence = other
        found.append(
            Candidate(number, evidence.proof, evidence.words, evidence.fetch, evidence.beside, evidence.copies)
        )
    return found


def doubtful(artifacts: Sequence[Artifact], found: Iterable[Candidate], wish: Wish) -> list[int]:
    """The numbers of what the wish would reach if it were proven, and what is not broken so that it may be.

    A wish without names or kinds reaches only what comes back from a source.
    """
    narrow = bool(wish.names or wish.kinds or wish.unproven)
    return [
        each.number
        for each in found
        if each.proof == UNPROVEN
        and artifacts[each.number].state == "complete"
        and (narrow or artifacts[each.number].recovery == "re-get")
        and _fits(artifacts[each.number], replace(each, proof="re-get"), wish)
    ]


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
    if artifact.kind == "image" and artifact.state == "orphan":
        return _untagged(artifact, now)
    if _build_cache(artifact):
        return _record(artifact, now)
    if artifact.state == "partial" and artifact.recovery == "re-get":
        if idle:
            return Evidence("leftover", "an unfinished download that nothing wrote to for an hour")
        return Evidence(UNPROVEN, "an unfinished download that was written to within the hour")
    if artifact.state == "orphan" and comes_back and idle:
        return Evidence("leftover", "nothing names it any more")
    if artifact.kind == "environment" and artifact.state == "dangling" and artifact.recovery == "re-solve":
        return Evidence("re-solve", "it does not run any more, and its capsule is written before it goes")
    if artifact.state != "complete":
        return Evidence(UNPROVEN, f"it is {artifact.state}")
    if "unmatched" in artifact.tags:
        return Evidence(UNPROVEN, "no branch or tag points to it, and what one points to lacks files of it")
    if "detached" in artifact.tags and artifact.group in named and artifact.recovery == "re-get":
        words = f"no branch or tag points to it; one points to {named[artifact.group][:12]}"
        return Evidence("superseded", words, size)
    if artifact.kind in ("package cache", "compile cache") and comes_back:
        if artifact.recovery == "re-make":
            return Evidence("re-make", "its tool builds it again")
        return Evidence("re-get", "its tool fetches it again", size)
    return Evidence(UNPROVEN, "nothing proves that it would come back")


def _untagged(artifact: Artifact, now: int) -> Evidence:
    """An image that no tag names: an engine's own command removes it, and nothing can bring one back that was made

    here. A build without BuildKit goes through such images, so a young one stays.
    """
    facts = dict(artifact.facts)
    if facts.get("containers", "none") != "none":
        return Evidence(UNPROVEN, f"no tag names it, and it has containers: {facts['containers']}")
    if facts.get("created", "") > rfc3339(now - HOUR):
        return Evidence(UNPROVEN, "no tag names it, and it was made within the hour")
    if artifact.recovery == "re-get":
        return Evidence("leftover", "no tag names it any more, and a registry had it", artifact.sizes.apparent)
    return Evidence("superseded", "no tag names it and no container uses it; only building it anew brings it back")


def _build_cache(artifact: Artifact) -> bool:
    return artifact.kind == "other" and artifact.recovery == "re-make" and bool(artifact.parts)


def _record(artifact: Artifact, now: int) -> Evidence:
    used = artifact.last_used
    if IN_USE in artifact.tags or (used is not None and now - used.at < HOUR):
        return Evidence(UNPROVEN, "a build used it within the hour")
    if not artifact.revision:
        return Evidence(UNPROVEN, "its layers are those of images")
    return Evidence("re-make", "the next build makes it again")


def chosen(artifacts: Sequence[Artifact], found: Iterable[Candidate], wish: Wish) -> list[Candidate]:
    """The candidates that fit the wish: proven ones, and unproven ones that were named."""
    return [each for each in found if _fits(artifacts[each.number], each, wish)]


def _fits(artifact: Artifact, candidate: Candidate, wish: Wish) -> bool:
    if any(pattern in artifact.id for pattern in wish.keep):
        return False
    if candidate.proof == UNPROVEN or artifact.id in wish.unproven:
        return artifact.id in wish.unproven
    if wish.names and not any(name in (artifact.store, artifact.id, artifact.group) for name in wish.names):
        return False
    if wish.kinds and artifact.kind not in wish.kinds:
        return False
    if _takes_long(artifact, candidate) and not (wish.names or wish.kinds):
        return False  # building it again may take hours: only when it is asked for
    own = artifact.state == "complete" and artifact.kind in OWN and not _build_cache(artifact)
    if own and candidate.proof != "superseded" and not wish.asked:
        return False  # somebody works with it, though it would come back
    used = artifact.last_used
    return wish.unused_since is None or (used is not None and used.at < wish.unused_since)


def _takes_long(artifact: Artifact, candidate: Candidate) -> bool:
    return artifact.kind == "compile cache" and artifact.state == "complete" and candidate.proof != "superseded"


def enough(found: Sequence[Candidate], freed: Freed, wanted: int) -> list[Candidate]:
    """A set that really frees so many bytes; all when none does.

    The surest proofs come first, of each those of which least has to be fetched again (in tenths of what they free),
    of these the largest: the shortest such prefix, without those that turned out not to be needed. No set of stronger
    proofs would do, and where nothing is shared the best set with this weakest proof frees less by less than one
    member of that class.
    """
    alone = {each.number: freed({each.number}).freed for each in found}
    ordered = sorted(found, key=lambda each: (*_cost(each, alone), -alone[each.number], each.number))
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if freed(_numbers(ordered[:middle])).freed >= wanted:
            high = middle
        else:
            low = middle + 1
    return _needed(ordered[:low], alone, freed, wanted)


def _needed(taken: list[Candidate], alone: dict[int, int], freed: Freed, wanted: int) -> list[Candidate]:
    """Puts back what is not needed: the weakest proof, the most to fetch, the largest first."""
    surplus = freed(_numbers(taken)).freed - wanted
    for each in sorted(taken, key=lambda each: (*(-part for part in _cost(each, alone)), -alone[each.number])):
        rest = [other for other in taken if other is not each]
        if alone[each.number] <= surplus and freed(_numbers(rest)).freed >= wanted:
            taken, surplus = rest, freed(_numbers(rest)).freed - wanted
    return taken


def _cost(candidate: Candidate, alone: Mapping[int, int]) -> tuple[int, int]:
    """How little one wants to let it go: its proof, and the tenths of what it frees that have to be fetched again."""
    return ORDER.index(candidate.proof), 10 * candidate.fetch // max(alone[candidate.number], 1)


def _numbers(found: Iterable[Candidate]) -> set[int]:
    return {each.number for each in found}


def worst(found: Iterable[Candidate]) -> str:
    """The weakest class of proof among them."""
    return max((each.proof for each in found), key=ORDER.index, default=ORDER[0])

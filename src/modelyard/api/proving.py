"""Finds out whether artifacts would come back: asks the sources they came from, and looks for copies of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from msgspec import Struct
from msgspec.structs import replace

from modelyard.api import Survey
from modelyard.api.digests import digest_cache, digests_of
from modelyard.api.duplicates import duplicates
from modelyard.api.remembered import Remembered, key
from modelyard.apply.disk import Disk
from modelyard.apply.rooms import known_rooms, rooms
from modelyard.inventory import Artifact, Held, Platform, Source
from modelyard.owners import hub, ollama_registry
from modelyard.owners.https import Web
from modelyard.owners.offered import Offered
from modelyard.policies.clean import UNPROVEN, Evidence, Wish, candidates, chosen, doubtful
from modelyard.problem import Problem
from modelyard.stores import hub_files, ollama_files
from modelyard.units import rfc3339
from modelyard.walk.digest_cache import DigestCache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

AT_ONCE = 4
"""Sources that are asked at the same time."""
TURN = 0.2
"""Seconds until Ctrl-C is heard while sources are waited for."""
CLIENTS: Mapping[str, ModuleType] = {"hub": hub, "ollama": ollama_registry}
SOURCES: Mapping[str, Callable[[Tree, Artifact], Source | None]] = {
    "hf": hub_files.source,
    "ollama": ollama_files.source,
}
LENGTHS = {64: "SHA-256", 40: "git's SHA-1"}
FAILED = "could not be proven: {}"
NOBODY = "nothing here knows where it would come back from"
UNSURE = "what lies there is not just what its source gave"
MADE_HERE = "it was made or changed here"

Where = tuple[Mapping[str, str], Path, Platform]
"""The variables, the home and the platform that modelyard's own folders are found by."""
Progress = Callable[[int, int, str], object]
"""Called with how many are done, of how many, and which one."""


class Asking(Struct, frozen=True):
    """How to find proofs: the way to ask, what is remembered, the time in nanoseconds since 1970."""

    web: Web
    remembered: Remembered
    digests: DigestCache
    now: int
    progress: Progress | None = None


def prove(survey: Survey, wish: Wish, asking: Asking) -> dict[str, Evidence]:
    """Evidence by id for what is wished and not proven yet; UNPROVEN with the reason where there is none to be had.

    Copies outside of what is wished come first, then the sources, then copies among the rest. Reads files without a
    trace and asks the network; changes nothing.
    """
    artifacts = survey.artifacts
    numbers = doubtful(artifacts, candidates(artifacts, asking.now), wish)
    found: dict[str, Evidence] = {}
    if wish.names:
        going = _going(survey, wish, asking.now, found) | set(numbers)
        found |= duplicates(survey, numbers, going, asking.digests, asking.progress)
    rest = [number for number in numbers if artifacts[number].id not in found]
    sources = _from_sources(survey, rest, asking)
    found |= {name: each for name, each in sources.items() if each.proof != UNPROVEN}
    rest = [number for number in rest if artifacts[number].id not in found]
    if wish.names:
        going = _going(survey, wish, asking.now, found)
        found |= duplicates(survey, rest, going, asking.digests, asking.progress)
    return {**sources, **found}


def prove_and_remember(
    survey: Survey,
    wish: Wish,
    env: Mapping[str, str],
    where: Where,
    now: int,
    age: int,
    progress: Progress | None = None,
) -> dict[str, Evidence]:
    """As `prove`, with what was found out less than `age` nanoseconds before `now`; what is new is noted for later.

    `env` names proxies and mirrors, `where` is whose home modelyard's own folder lies in. A note that cannot be
    written, as on a full disk, is left out: the answer does not depend on it.
    """
    remembered = Remembered(known_rooms(*where).state, now, age)
    with digest_cache(where) as cache:
        found = prove(survey, wish, Asking(Web(env), remembered, cache, now, progress))
    with suppress(OSError):
        disk = Disk()
        rooms(*where, disk)
        remembered.save(disk)
    return found


def _going(survey: Survey, wish: Wish, now: int, found: Mapping[str, Evidence]) -> set[int]:
    """What goes already, so that it cannot be the copy that stays."""
    artifacts = survey.artifacts
    return {each.number for each in chosen(artifacts, candidates(artifacts, now, found), wish)}


def _from_sources(survey: Survey, numbers: Sequence[int], asking: Asking) -> dict[str, Evidence]:
    """What the sources say, a few asked at once. Ctrl-C hangs up and is passed on."""
    found: dict[str, Evidence] = {}
    executor = ThreadPoolExecutor(AT_ONCE, "asking")
    waiting: dict[Future[Evidence], str] = {}
    try:
        for number in numbers:
            artifact = survey.artifacts[number]
            waiting[executor.submit(_asked, survey.tree, artifact, asking)] = artifact.id
        left = set(waiting)
        while left:
            done, left = wait(left, TURN)
            for each in done:
                found[waiting[each]] = each.result()
            if asking.progress and done:
                asking.progress(len(found), len(numbers), waiting[next(iter(done))])
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        asking.web.close()
    return {survey.artifacts[number].id: found[survey.artifacts[number].id] for number in numbers}


def _asked(tree: Tree, artifact: Artifact, asking: Asking) -> Evidence:
    """One artifact: what is here against what the source says that it has."""
    if artifact.store not in SOURCES:
        return Evidence(UNPROVEN, FAILED.format(NOBODY))
    if artifact.recovery != "re-get":
        return Evidence(UNPROVEN, FAILED.format(MADE_HERE))
    source = SOURCES[artifact.store](tree, artifact)
    if source is None:
        return Evidence(UNPROVEN, FAILED.format(UNSURE))
    client = CLIENTS[source.service]
    who = client.who(asking.web, source)
    complete = _named(tree, source, asking.digests)
    if isinstance(complete, Problem):
        return Evidence(UNPROVEN, FAILED.format(f"{complete.path}: {complete.message}"))
    fetch = sum({each.digest: each.size for each in complete.files}.values())
    name = key(artifact, complete, who)
    if known := asking.remembered.get(name):
        return Evidence("re-get", known.words, fetch)
    offered = client.offered(asking.web, complete)
    why = offered if isinstance(offered, Problem) else _differences(complete, offered)
    why = why or client.withheld(asking.web, complete)
    if why:
        return Evidence(UNPROVEN, FAILED.format(why.message))
    words = f"{who} has {_compared(complete.files)}, asked {rfc3339(asking.now)}"
    asking.remembered.put(name, words)
    return Evidence("re-get", words, fetch)


def _named(tree: Tree, source: Source, cache: DigestCache) -> Source | Problem:
    """The source with a digest for each file: files whose name tells none are read whole."""
    files = []
    for each in source.files:
        if each.digest:
            files.append(each)
            continue
        read = digests_of(tree, each.row, ("sha256", "git-sha1"), cache)
        if isinstance(read, Problem):
            return read
        files.append(replace(each, digest=f"{read['sha256'].hex()} {read['git-sha1'].hex()}"))
    return replace(source, files=tuple(files))


def _differences(source: Source, offered: Mapping[str, Offered]) -> Problem | None:
    """The first file that the source does not have just as it is here."""
    for each in source.files:
        there = offered.get(each.path)
        path = shown(each.path)
        if there is None:
            return Problem(path, "changed", f"the source does not have {path}")
        if there.size != each.size:
            return Problem(path, "changed", f"{path} has {each.size:,} bytes here and {there.size:,} at the source")
        if not set(each.digest.split()) & set(there.digests):
            return Problem(path, "changed", f"{path} is not what the source has: their digests differ")
    return None


def _compared(files: Sequence[Held]) -> str:
    """What was compared, in words: `7 files by path, size and digest (2 SHA-256, 5 git's SHA-1)`."""
    kinds = Counter(_kinds(files))
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    count = f"{len(files):,} {'file' if len(files) == 1 else 'files'}"
    one = next(iter(kinds)) if len(kinds) == 1 else f"digest ({told})"
    return f"{count} by path, size and {one}"


def _kinds(files: Sequence[Held]) -> Iterator[str]:
    for each in files:
        yield LENGTHS.get(len(each.digest), "digest of its content")

"""Mends what verify found: fetches a good file from its source before the bad one goes, or puts away what a tool makes

again. Everything that exists changes by a plan, so that `undo` takes it back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.checking import LOST, Outcome
from modelyard.api.planning import now_text, origin_of, roots_of
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.whole import draft
from modelyard.inventory import Artifact, Source
from modelyard.owners import hub, ollama
from modelyard.owners.fetching import fetch
from modelyard.owners.https import Web
from modelyard.plan import Path, Plan, Step
from modelyard.problem import Problem
from modelyard.stores.hub_files import PLURALS
from modelyard.walk.hash import hash_file
from modelyard.walk.text import shown

TITLE = "repair"
How = Literal["fetch", "pull", "remake", "away", "nobody"]
FETCHED = b".modelyard-fetched-%s"
REMADE = {
    "pip": "pip fetches or builds it again when it needs it",
    "pipenv": "Pipenv fetches it again when it needs it",
    "uv": "uv fetches and unpacks it again when it needs it",
    "conda": "conda fetches it again when it needs it",
    "rattler": "pixi fetches it again when it needs it",
    "torchhub": "torch.hub fetches it again when it is loaded",
    "wandb": "wandb fetches it again when it is used",
}
"""Stores of which the tool makes again what is not there, and how."""
ADVICE = {
    "environment": "install the package again, or build the environment anew from its capsule: `modelyard env restore`",
    "dvc": "`dvc fetch` gets it from the remote, if it was pushed",
    "lmstudio": "download it again in LM Studio",
    "hf-local": "`hf download --local-dir` gets it again",
    "checkpoint": "no owner has a copy: `modelyard dupes` tells whether another file has the same bytes",
}
NOBODY = "no owner can give it back"
SECRETLESS = "{}; the client with its own login may: `hf download {}`"


class Repair(Struct, frozen=True):
    """What can be done for one file: `words` say it, `size` bytes are fetched; `puts_away` goes into the trash."""

    outcome: Outcome
    artifact: str
    how: How
    words: str
    size: int = 0
    puts_away: tuple[bytes, ...] = ()
    source: Source | None = None


def repairs(survey: Survey, found: Sequence[Outcome], env: Mapping[str, str]) -> list[Repair]:
    """What can be done for everything that is not as it was given, one line a file."""
    by_name = {each.id: each for each in survey.artifacts}
    told = []
    for outcome in found:
        if outcome.state not in LOST:
            continue
        artifacts = [by_name[name] for name in outcome.item.artifacts if name in by_name]
        told.append(_repair(survey, outcome, artifacts[0] if artifacts else None, env))
    return told


def _repair(survey: Survey, outcome: Outcome, artifact: Artifact | None, env: Mapping[str, str]) -> Repair:
    path = outcome.item.path
    if artifact is None:
        return Repair(outcome, "", "nobody", NOBODY)
    away = (path,) if os.path.lexists(path) else ()
    if artifact.store == "hf" and (source := _hub_source(artifact)) and _digest(outcome):
        size = outcome.item.expectation.size or (outcome.item.seen.size if outcome.item.seen else 0)
        return Repair(outcome, artifact.id, "fetch", "fetched from the Hub", size, away, source)
    if artifact.store == "ollama" and artifact.recovery == "re-get":
        running = ollama.local_address(env)
        if running is None or isinstance(ollama.loaded(running), Problem):
            words = f"put away; then `ollama pull {artifact.title}`, for no server answers now"
            return Repair(outcome, artifact.id, "away" if away else "nobody", words, 0, away)
        size = outcome.item.expectation.size or 0
        return Repair(outcome, artifact.id, "pull", "pulled again by the server", size, away)
    if artifact.store in REMADE and artifact.kind != "environment" and artifact.recovery in ("re-get", "re-make"):
        entry = _entry(survey, outcome, artifact)
        if entry:
            return Repair(outcome, artifact.id, "remake", REMADE[artifact.store], 0, entry)
    words = ADVICE.get(artifact.kind) or ADVICE.get(artifact.store) or NOBODY
    return Repair(outcome, artifact.id, "nobody", words)


def _hub_source(artifact: Artifact) -> Source | None:
    """The repository and the commit of a revision; None for what belongs to none."""
    kind, _, name = artifact.group.removeprefix("hf:").partition("/")
    if kind not in PLURALS or len(artifact.revision) != 40:
        return None
    return Source("hub", f"{PLURALS[kind]}/{name}", artifact.revision, ())


def _digest(outcome: Outcome) -> tuple[str, str] | None:
    """The method and the digest that a file is known by, where what is fetched can be held against it."""
    told = outcome.item.expectation
    method = {64: "sha256", 40: "git-sha1"}.get(len(told.value), "")
    return (method, told.value) if method and told.name else None


def _entry(survey: Survey, outcome: Outcome, artifact: Artifact) -> tuple[bytes, ...]:
    """What has to go so that a tool makes it again: a whole entry of its cache, never half of one."""
    tree, path = survey.tree, outcome.item.path
    if artifact.store in ("pip", "pipenv"):
        body = path if path.endswith((b".body", b".whl")) else path + b".body"
        both = (body, body.removesuffix(b".body")) if body.endswith(b".body") else (body,)
        return tuple(each for each in dict.fromkeys(both) if os.path.lexists(each))
    for row in artifact.blobs:
        place = tree.path(row)
        if path == place:
            return (path,)
        if path.startswith(place + b"/"):
            if artifact.store == "uv":  # a bucket: the unpacked wheel in it
                return (place + b"/" + path[len(place) + 1 :].partition(b"/")[0],)
            return (path,) if artifact.store in ("torchhub", "wandb") else (place,)
    return ()


Told = Callable[[int], object]


class Good(Struct, frozen=True):
    """A fetched file that waits under a name of its own beside where it belongs."""

    repair: Repair
    path: bytes


def fetched(repair: Repair, env: Mapping[str, str], told: Told) -> Good | Problem:
    """A file of its source, proven by its digest and on the medium; what a killed run fetched already is used."""
    known, source = _digest(repair.outcome), repair.source
    assert known is not None
    assert source is not None
    method, digest = known
    path, web = repair.outcome.item.path, Web(env)
    folder, name = os.path.dirname(path), FETCHED % digest.encode()
    good = os.path.join(folder, name)
    try:
        if os.path.lexists(good):
            seen = hash_file(good, [method])  # type: ignore[list-item]
            if not isinstance(seen, Problem) and seen.hex(method) == digest:  # type: ignore[arg-type]
                return Good(repair, good)
            return Problem(shown(good), "in-the-way", "something else has the name for what is fetched; remove it")
        with draft(Disk(), folder, b"fetch") as made:

            def take(piece: bytes) -> None:
                made.write(piece)
                told(len(piece))

            url = hub.file_address(web, source, repair.outcome.item.expectation.name)
            why = fetch(web, url, method, digest, repair.outcome.item.expectation.size, take)  # type: ignore[arg-type]
            if why is not None:
                return _by_client(why, source, repair) if why.code == "refused" else why
            made.mode(_mode(path, folder))
            return Good(repair, made.keep(name))
    except OSError as error:
        return Problem(shown(path), "unwritable", f"it cannot be written: {os.strerror(error.errno or 0)}")


def _by_client(why: Problem, source: Source, repair: Repair) -> Problem:
    """What the Hub keeps for those who log in: the client can, and this program asks for no secrets."""
    kind, _, name = source.name.partition("/")
    told = f"{name} {repair.outcome.item.expectation.name} --revision {source.revision}"
    told += "" if kind == "models" else f" --repo-type {kind.removesuffix('s')}"
    return Problem(why.path, why.code, SECRETLESS.format(why.message, told))


def _mode(path: bytes, folder: bytes) -> int:
    """The rights of the file that was there, else those of another file beside it."""
    with suppress(OSError):
        return os.lstat(path).st_mode & 0o7777
    with suppress(OSError), os.scandir(folder) as names:
        for each in names:
            if each.is_file(follow_symlinks=False) and not each.name.startswith(b"."):
                return each.stat(follow_symlinks=False).st_mode & 0o7777
    return 0o644


def plan(survey: Survey, wanted: Sequence[Repair], good: Sequence[Good]) -> Plan:
    """The bad ones into the trash, the good ones to their names. Nothing of the network is left to do."""
    here = {each.repair.outcome.item.path: each for each in good}
    steps: list[Step] = []
    seen: set[bytes] = set()
    for repair in wanted:
        if repair.how == "nobody" or (repair.how == "fetch" and repair.outcome.item.path not in here):
            continue
        why = f"{repair.outcome.state}: {repair.outcome.found}"
        for path in repair.puts_away:
            mark = marks.take(path)
            if path not in seen and mark is not None:
                seen.add(path)
                steps.append(Step("remove", Path.of(path), mark, repair.artifact, "re-get", f"re-get: it is {why}"))
        found = here.get(repair.outcome.item.path)
        if found is not None:
            steps.append(_arrival(found, repair))
    return Plan(TITLE, now_text(), origin_of(survey), steps, roots_of(survey), 0, True, "re-get", []).sealed()


def _arrival(good: Good, repair: Repair) -> Step:
    words = f"re-get: fetched again, {repair.outcome.expected}"
    place = Path.of(repair.outcome.item.path)
    return Step("move", Path.of(good.path), marks.take(good.path), repair.artifact, "re-get", words, other=place)


def pulls(wanted: Sequence[Repair], env: Mapping[str, str]) -> Iterator[tuple[str, Problem | None]]:
    """Lets the server pull the models of which a blob was put away; each with what went wrong."""
    address = ollama.local_address(env)
    for name in dict.fromkeys(each.artifact for each in wanted if each.how == "pull"):
        if address is not None:
            yield name, ollama.pulled(address, name.partition(":")[2])

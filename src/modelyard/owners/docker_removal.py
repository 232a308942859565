"""Lets a Docker engine or Podman remove one thing by its name, after one more look at it; never by force.

What is removed is gone: engines keep no trash. Volumes and images are never pruned: before API 1.42 a prune of volumes
takes those with a name too. The one prune that is sent names a single record of the build cache.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import msgspec
from msgspec import Struct

from modelyard.owners import engine_replies as replies
from modelyard.owners.docker import FIRST
from modelyard.owners.docker_looks import LOOKS, MARKS, there
from modelyard.owners.engine_api import NO_VERSION, Api, api_told
from modelyard.owners.engine_line import SLOW, Line, Reply, brief, connect, reach, within
from modelyard.plan import Answer, Ask
from modelyard.problem import Problem

LOOKING = 30.0
REMOVING = 600.0
"""Seconds for a removal: an image of many gigabytes takes a while."""
FIRST_FILTERS = (1, 39)
"""The first API whose prune of the build cache knows filters; an older one would prune everything."""
WAS_GONE = "it was gone already"


class _Met(Struct, frozen=True):
    """An engine that answered."""

    line: Line
    api: Api


def removed(address: str, ask: Ask) -> Answer:
    """Asks the engine at this address for one removal. `freed` is what the engine says: of build cache only.

    Not known (`gone` None) where the answer was lost and the engine does not tell any more what it has.
    """
    met = _in_time(lambda: _ready(address, ask))
    if isinstance(met, Answer):
        return met
    lost = met.line.problem("slow-engine", "no end of its answer", SLOW)
    said = within(REMOVING + 1, lambda: _sent(met, ask), lost)
    return said if isinstance(said, Answer) else _settled(address, ask, said.message)


def present(address: str, ask: Ask) -> bool | None:
    """Whether the engine has the thing; None where it does not tell."""
    met = _in_time(lambda: _met(address, ask))
    if isinstance(met, Answer):
        return None
    found = within(LOOKING, lambda: there(met.line, met.api, ask), met.line.problem("slow-engine", "late", SLOW))
    return None if isinstance(found, Problem) else found


def _in_time(work: Callable[[], _Met | Answer]) -> _Met | Answer:
    found = within(LOOKING, work, Problem("", "slow-engine", "the engine did not tell in time what it has"))
    return Answer(False, why=found.message) if isinstance(found, Problem) else found


def _met(address: str, ask: Ask) -> _Met | Answer:
    """The engine at the address, when it is of the kind that is meant."""
    if not MARKS[ask.kind].fullmatch(ask.name):
        return Answer(False, why=f"{brief(ask.name)} is no name that an engine gives to a thing of this kind")
    line = reach(address) or connect(address)
    pinged = line if isinstance(line, Problem) else line.send("GET", "/_ping", FIRST)
    if isinstance(line, Problem) or isinstance(pinged, Problem):
        problem = line if isinstance(line, Problem) else pinged
        assert isinstance(problem, Problem)
        return Answer(False, why=f"{problem.message}; {problem.hint}" if problem.hint else problem.message)
    api = api_told(pinged.headers)
    if pinged.status != 200 or api is None:
        return Answer(False, why=f"/_ping: {NO_VERSION}")
    if api.podman != (ask.owner == "podman"):
        return Answer(False, why="another engine answers at this address now")
    if ask.kind == "build cache" and (api.podman or api.spoken < FIRST_FILTERS):
        return Answer(False, why="this engine cannot remove one record of its build cache")
    return _Met(line, api)


def _ready(address: str, ask: Ask) -> _Met | Answer:
    """The engine, when nothing is against the removal at this moment."""
    met = _met(address, ask)
    if isinstance(met, Answer):
        return met
    why = LOOKS[ask.kind](met.line, met.api, ask)
    if why is None:
        return Answer(True, why=WAS_GONE)
    if isinstance(why, Problem):
        return Answer(False, why=why.message)
    return Answer(False, why=why) if why else met


def _sent(met: _Met, ask: Ask) -> Answer | Problem:
    """Sends the removal; a Problem where nobody knows what became of it."""
    if ask.kind == "build cache":
        return _pruned(met, ask)
    for path, query in _paths(ask):
        reply = met.line.send("DELETE", f"{met.api.prefix}{path}", REMOVING, **query)
        if isinstance(reply, Problem):
            return reply
        if reply.status not in (200, 204):
            return _refused(met, ask, reply)
    return _after(met, ask, "the engine kept it: it has other names, or something is built on it")


def _paths(ask: Ask) -> list[tuple[str, dict[str, str]]]:
    """What is to be deleted, one after the other: an image goes with the last of its tags."""
    if ask.kind == "image":
        names = ask.seen.split("\n") if ask.seen else [ask.name]
        return [(f"/images/{quote(name)}", {"force": "false", "noprune": "false"}) for name in names]
    if ask.kind == "container":
        return [(f"/containers/{ask.name}", {"force": "false", "v": "false", "link": "false"})]
    return [(f"/volumes/{quote(ask.name)}", {"force": "false"})]


def _pruned(met: _Met, ask: Ask) -> Answer | Problem:
    """One record of the build cache. The engine itself leaves what a build uses, and what `private` does not fit."""
    filters = json.dumps({"id": {ask.name: True}, "private": {}})
    path = f"{met.api.prefix}/build/prune"
    reply = met.line.send("POST", path, REMOVING, all="1", filters=filters)
    if isinstance(reply, Problem):
        return reply
    if reply.status != 200:
        return _refused(met, ask, reply)
    pruned = met.line.typed(path, reply.data, replies.Pruned)
    if isinstance(pruned, Problem):
        return pruned
    if ask.name in (pruned.caches_deleted or ()):
        return Answer(True, max(0, pruned.space_reclaimed or 0))
    return _after(met, ask, "the engine kept it: a build uses it, or another record is built on it")


def _refused(met: _Met, ask: Ask, reply: Reply) -> Answer:
    """By what the engine still has: an answer of 500 may follow a removal, and 404 a removal by somebody else."""
    try:
        said = msgspec.json.decode(reply.data, type=replies.Refusal).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = brief(reply.data[:300])
    words = f"the engine answered {reply.status}: {brief(said)}"
    return _after(met, ask, words, WAS_GONE if reply.status == 404 else words)


def _after(met: _Met, ask: Ask, kept: str, gone: str = "") -> Answer:
    """The answer by one more look."""
    found = there(met.line, met.api, ask)
    if isinstance(found, Problem):
        return Answer(None, why=kept)
    return Answer(False, why=kept) if found else Answer(True, why=gone)


def _settled(address: str, ask: Ask, words: str) -> Answer:
    """The answer after a reply that was lost. While the thing is there the engine may still be at it."""
    return Answer(True) if present(address, ask) is False else Answer(None, why=words)

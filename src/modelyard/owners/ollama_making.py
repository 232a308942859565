"""An Ollama server makes a model of a file that lies among its blobs already: nothing is copied or uploaded.

`POST /api/create` takes `files`, names with the SHA-256 of blobs that the server has (Ollama's docs/api.md, "Create a
model from a GGUF file"); `HEAD /api/blobs/sha256:…` tells whether it has one.
"""

from __future__ import annotations

from modelyard.owners.ollama import FROM, REMOVING, SECONDS, Shown, asked, listed_as, sent, words_of
from modelyard.plan import Answer, Ask
from modelyard.problem import Problem

NAME = "model.gguf"
MAKING = 600.0
"""Seconds: the server reads the whole file once."""
ELSEWHERE = "the server that answers does not have the file: it keeps its models in another folder"
TAKEN = "the server has a model of this name already"
OTHERS = "another model has this name now"


def made(address: str, ask: Ask) -> str:
    """Asks for the model; why there is none, empty when there is."""
    listed = listed_as(address, ask)
    if isinstance(listed, Problem):
        return listed.message
    if listed is not None:
        return TAKEN
    has = sent(address, "HEAD", f"/api/blobs/sha256:{ask.make}", None, SECONDS)
    if isinstance(has, Problem):
        return has.message
    if has[0] != 200:
        return ELSEWHERE
    body = {"model": ask.name, "files": {NAME: f"sha256:{ask.make}"}, "stream": False}
    reply = sent(address, "POST", "/api/create", body, MAKING)
    if isinstance(reply, Problem):
        return "" if present(address, ask) else reply.message
    return words_of(*reply)


def present(address: str, ask: Ask) -> bool | None:
    """Whether the server has a model of this name that was made of this file; None where it does not answer."""
    listed = listed_as(address, ask)
    if isinstance(listed, Problem):
        return None
    if listed is None:
        return False
    found = asked(address, "/api/show", Shown, {"model": ask.name, "name": ask.name})
    if isinstance(found, Problem):
        return None
    return any(each.endswith(f"sha256-{ask.make}") for each in FROM.findall(found.modelfile.replace("\0", "")))


def unmade(address: str, ask: Ask) -> Answer:
    """Lets the server remove the model again, unless the name is another model's by now."""
    there = present(address, ask)
    if there is None:
        return Answer(None, why="the server does not answer")
    if not there:
        named = listed_as(address, ask)
        return Answer(named is None, why="" if named is None else OTHERS)
    reply = sent(address, "DELETE", "/api/delete", {"model": ask.name, "name": ask.name}, REMOVING)
    words = reply.message if isinstance(reply, Problem) else words_of(*reply)
    return Answer(present(address, ask) is False, why=words)

"""An Ollama server on this machine: what it lists and has loaded, and the removal of one model by its name."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from modelyard.plan import Answer, Ask
from modelyard.problem import Problem
from modelyard.walk.text import shown

T = TypeVar("T")
PORT, SECONDS, CAP = 11434, 4.0, 64 << 20
REMOVING = 120.0
PULLING = 86400.0
LOCAL = {"", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1"}  # noqa: S104 - compared with, never bound to
LOADED = "the server has it loaded (/api/ps)"
FROM = re.compile(r"^FROM (/.*)$", re.MULTILINE)


class Model(msgspec.Struct, frozen=True):
    """An entry of `/api/tags` or `/api/ps`; the digest is the SHA-256 of the model's manifest."""

    name: str = ""
    model: str = ""
    digest: str = ""
    expires_at: str = ""


class Models(msgspec.Struct, frozen=True):
    """The answer of `GET /api/tags` and of `GET /api/ps`."""

    models: list[Model] = []


class Shown(msgspec.Struct, frozen=True):
    """The part of the answer of `POST /api/show` that tells where the model's file lies."""

    modelfile: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """What comes with a status that is no success."""

    error: str = ""


def local_address(env: Mapping[str, str]) -> str | None:
    """The address of this machine's server by `OLLAMA_HOST`; None where that names another machine."""
    named = env.get("OLLAMA_HOST", "").strip().strip("\"'")
    try:
        parts = urlsplit(named if "//" in named else f"//{named}")
        return f"http://127.0.0.1:{parts.port or PORT}" if (parts.hostname or "") in LOCAL else None
    except ValueError:
        return None


def loaded(address: str, seconds: float = SECONDS) -> list[Model] | Problem:
    """What the server has in memory."""
    found = asked(address, "/api/ps", Models, seconds=seconds)
    return found if isinstance(found, Problem) else found.models


def removed(address: str, ask: Ask) -> Answer:
    """Asks the server to remove one model. It does not say how many bytes came back, so `freed` is 0.

    It removes the name, and what no other name needs. It would not stop for a model that it has loaded: this does.
    """
    why = _why_not(address, ask)
    if why is None:
        return Answer(True, why="it was gone already")
    if why:
        return Answer(False, why=why)
    # Older servers know the second word only.
    reply = sent(address, "DELETE", "/api/delete", {"model": ask.name, "name": ask.name}, REMOVING)
    words = reply.message if isinstance(reply, Problem) else words_of(*reply)
    found = present(address, ask)
    if found is None:
        return Answer(None, why=words)
    if found:
        return Answer(None if isinstance(reply, Problem) else False, why=words or "the server kept it")
    return Answer(True, why=words)


def present(address: str, ask: Ask) -> bool | None:
    """Whether the server lists that very model; None where it does not answer."""
    listed = listed_as(address, ask)
    return None if isinstance(listed, Problem) else listed is not None and listed.digest == ask.seen


def pulled(address: str, name: str) -> Problem | None:
    """Lets the server pull a model, of which it fetches what is not there; a Problem where it could not."""
    reply = sent(address, "POST", "/api/pull", {"model": name, "name": name, "stream": False}, PULLING)
    if isinstance(reply, Problem):
        return reply
    words = words_of(*reply)
    return Problem(address, "service-error", words) if words else None


def listed_as(address: str, ask: Ask) -> Model | Problem | None:
    """The model that has this name on the server."""
    found = asked(address, "/api/tags", Models)
    if isinstance(found, Problem):
        return found
    return next((each for each in found.models if ask.name in (each.name, each.model)), None)


def _why_not(address: str, ask: Ask) -> str | None:
    """The reasons of this moment: empty when it may go, None when it is not there."""
    listed = listed_as(address, ask)
    if listed is None:
        return None
    if isinstance(listed, Problem):
        return listed.message
    if not ask.seen or listed.digest != ask.seen:
        return "another model has this name now"
    running = loaded(address)
    if isinstance(running, Problem):
        return running.message
    if any(ask.name.lower() in (each.name.lower(), each.model.lower()) for each in running):
        return LOADED
    return _elsewhere(address, ask)


def _elsewhere(address: str, ask: Ask) -> str:
    """Whether the server keeps its models in another folder: each user may have a server, with the same models."""
    found = asked(address, "/api/show", Shown, {"model": ask.name, "name": ask.name})
    if isinstance(found, Problem):
        return found.message
    files = [os.path.realpath(each) for each in FROM.findall(found.modelfile.replace("\0", ""))]
    folder = os.path.realpath(ask.folder) + os.sep
    if ask.folder and files and all(each.startswith(folder) for each in files):
        return ""
    return f"the server that answers does not say that it keeps this model in {shown(ask.folder)}"


def asked(
    address: str, path: str, kind: type[T], body: Mapping[str, object] | None = None, seconds: float = SECONDS
) -> T | Problem:
    """An answer of the server's API as a type; a Problem where there is none that is understood."""
    reply = sent(address, "GET" if body is None else "POST", path, body, seconds)
    if isinstance(reply, Problem):
        return reply
    if reply[0] != 200:
        return Problem(address, "service-error", f"{path}: {words_of(*reply)}")
    try:
        return msgspec.json.decode(reply[1], type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Problem(address, "strange-service", f"{path}: an answer that is not understood")


def sent(
    address: str, method: str, path: str, body: Mapping[str, object] | None, seconds: float
) -> tuple[int, bytes] | Problem:
    """Status and content of an answer. Only this machine is asked, whatever the address says."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in LOCAL - {""}:
        return Problem(shown(address), "remote-service", "only a server of this machine is asked")
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or PORT, timeout=seconds)
    content = None if body is None else msgspec.json.encode(body)
    try:
        connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        answer = connection.getresponse()
        return answer.status, answer.read(CAP)
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = getattr(error, "strerror", None) or type(error).__name__
        return Problem(shown(address), "unreachable", f"no whole answer of the Ollama server: {words}")
    finally:
        connection.close()


def words_of(status: int, content: bytes) -> str:
    """What the server said against it, empty where it did as it was told."""
    if status == 200:
        return ""
    try:
        said = msgspec.json.decode(content, type=Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = ""
    return f"the server answered {status}: {shown(said)[:200]}"

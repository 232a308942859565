"""An Ollama service whose files are another user's: it is asked by its API, and says what it does as a real one did."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from containers import cleaning
from modelyard import api
from modelyard.api import planning
from modelyard.owners import ollama
from modelyard.plan import Ask, Plan
from modelyard.policies.clean import Wish

RECORDED = Path(__file__).parent / "data" / "ollama-0.32.15.tar.gz"
SERVICE = 54321
"""The number of the user that the service runs as."""
GONE, PIRATE = "ollama:gone:latest", "ollama:pirate:v1"


class Ollama(ThreadingHTTPServer):
    """Answers for a folder of models by the rules of the real server, in the words that were recorded from it."""

    daemon_threads = True
    models: Path
    shown: str
    asked: list[str]
    loaded: list[dict[str, str]]
    broken: Callable[[BaseHTTPRequestHandler], bool] | None = None

    def names(self) -> dict[str, Path]:
        """Every model with its manifest."""
        found = {}
        for path in (self.models / "manifests").glob("*/*/*/*"):
            host, space, model, tag = path.relative_to(self.models / "manifests").parts
            short = f"{model}:{tag}" if space == "library" else f"{space}/{model}:{tag}"
            found[short if host == "registry.ollama.ai" else f"{host}/{space}/{model}:{tag}"] = path
        return found

    def delete(self, name: str) -> bool:
        """Removes the name, then every layer that no readable manifest lists."""
        manifest = self.names().get(name)
        if manifest is None:
            return False
        own = _digests(manifest)
        manifest.unlink()
        kept = {digest for path in self.names().values() for digest in _digests(path)}
        for digest in own - kept:
            (self.models / "blobs" / digest.replace(":", "-")).unlink()
        return True


def _digests(manifest: Path) -> set[str]:
    try:
        content = json.loads(manifest.read_text())
    except ValueError:
        return set()
    return {each["digest"] for each in (*content["layers"], content["config"])}


class Handler(BaseHTTPRequestHandler):
    """The paths that are asked for."""

    def handle_any(self) -> None:
        server = self.server
        assert isinstance(server, Ollama)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        wanted = json.loads(body)["model"] if body else ""
        server.asked.append(f"{self.command} {self.path} {wanted}".strip())
        if server.broken and server.broken(self):
            return
        status, answer = self._answer(server, wanted)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode() if answer is not None else b"")

    def _answer(self, server: Ollama, wanted: str) -> tuple[int, object]:
        if self.path == "/api/tags":
            digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in server.names().items()}
            return 200, {"models": [{"name": name, "model": name, "digest": each} for name, each in digests.items()]}
        if self.path == "/api/ps":
            return 200, {"models": server.loaded}
        if wanted not in server.names():
            return 404, {"error": f"model '{wanted}' not found"}
        if self.path == "/api/show":
            return 200, {"modelfile": server.shown.replace("/tmp/oll/home/.ollama/models", str(server.models))}
        server.delete(wanted)
        return 200, None

    do_GET = handle_any  # noqa: N815 - names of the base class
    do_POST = handle_any  # noqa: N815
    do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing is printed."""


@contextmanager
def serving(models: Path) -> Iterator[Ollama]:
    """A server for this folder."""
    with Ollama(("127.0.0.1", 0), Handler) as server:
        server.models, server.asked, server.loaded = models, [], []
        server.shown = json.loads(recorded("api_show_pirate.json"))["modelfile"]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def recorded(name: str) -> bytes:
    """A file that was recorded."""
    with tarfile.open(RECORDED) as archive:
        file = archive.extractfile(f"./{name}")
        assert file
        return file.read()


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpacked(name: str, place: Path) -> Path:
    """A recorded folder of models."""
    with tarfile.open(RECORDED) as archive:
        members = [each for each in archive if each.name.startswith(f"./{name}/")]
        archive.extractall(place, members, filter="data")
    return place / name


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder as it was before the deletion, of another user."""
    if os.geteuid():
        pytest.fail("files of another user are made as root")
    folder = unpacked("models_before_delete", tmp_path)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, SERVICE, SERVICE)
    return folder


@pytest.fixture
def server(models: Path) -> Iterator[Ollama]:
    """The service for it."""
    with serving(models) as running:
        yield running


def planned(home: Path, models: Path, server: Ollama | None, *include: str) -> Plan:
    """What `clean` would do with these models."""
    env = {"OLLAMA_MODELS": str(models), "OLLAMA_HOST": f"127.0.0.1:{server.server_port if server else 1}"}
    found = api.survey(env, home, "linux", system=False)
    everyone = api.everyone(found, env, home, "linux", system=True)
    return planning.plan_clean(found, everyone, Wish(("ollama",), unproven=include), time.time_ns())


def test_the_service_removes_one_model_as_it_did_when_it_was_recorded(
    home: Path, models: Path, server: Ollama, tmp_path: Path
) -> None:
    plan = planned(home, models, server, GONE)
    (step,) = plan.steps
    assert (step.do, step.ask and step.ask.name) == ("ask", "gone:latest")
    before = files(models)
    assert cleaning.make(home, plan).states == ["purged"]
    after = files(models)
    expected = {each["name"] for each in json.loads(recorded("api_tags.json"))["models"]}
    assert set(server.names()) == expected, "the names that the real one listed after its deletion"
    assert set(after) == set(before) & set(files(unpacked("models_after_delete_and_pull", tmp_path)))
    freed = sum(-(-len(before[name]) // 4096) * 4096 for name in set(before) - set(after))
    assert 0 < plan.freed <= freed + 4096, "never more than what comes back"
    assert [each for each in server.asked if each.startswith("DELETE")] == ["DELETE /api/delete gone:latest"]


def test_nothing_is_asked_of_it_that_was_not_named(home: Path, models: Path, server: Ollama) -> None:
    assert planned(home, models, server).steps == []
    assert not [each for each in server.asked if "/api/ps" not in each]


def test_a_model_that_is_loaded_stays(home: Path, models: Path, server: Ollama) -> None:
    plan = planned(home, models, server, PIRATE)
    server.loaded = [{"name": "pirate:v1", "model": "pirate:v1"}]
    assert planned(home, models, server, PIRATE).steps == []
    assert cleaning.make(home, plan).reasons == {0: ollama.LOADED}
    assert "pirate:v1" in server.names()


def test_a_model_that_was_made_anew_is_another_one(home: Path, models: Path, server: Ollama) -> None:
    plan = planned(home, models, server, PIRATE)
    manifest = server.names()["pirate:v1"]
    manifest.write_text(manifest.read_text() + " ")
    assert cleaning.make(home, plan).reasons == {0: "another model has this name now"}
    assert "pirate:v1" in server.names()


def test_a_server_with_the_same_model_in_another_folder_is_not_asked(home: Path, models: Path, tmp_path: Path) -> None:
    """Somebody's own server answers on the port while the system's service is off, and has the same model."""
    (tmp_path / "own").mkdir()
    mine = unpacked("models_before_delete", tmp_path / "own")
    before = files(mine)
    with serving(mine) as other:
        ledger = cleaning.make(home, planned(home, models, other, PIRATE))
        assert ledger.states == ["refused"]
        assert str(models) in ledger.reasons[0]
    assert files(mine) == before


def test_an_unreadable_manifest_beside_it_keeps_everything(home: Path, models: Path, server: Ollama) -> None:
    """The server passes over manifests that it cannot read, and removes the layers that they need."""
    (models / "manifests/registry.ollama.ai/library/tiny/latest").write_bytes(b"{")
    plan = planned(home, models, server, GONE)
    assert plan.steps == []
    assert "unreadable manifest" in {each.artifact: each.why for each in plan.skipped}[GONE]


def test_without_a_server_it_is_refused_and_says_why(home: Path, models: Path) -> None:
    before = files(models)
    ledger = cleaning.make(home, planned(home, models, None, GONE))
    assert ledger.states == ["refused"]
    assert "Connection refused" in ledger.reasons[0]
    assert files(models) == before


def test_files_of_ones_own_are_moved_into_the_trash_as_ever(home: Path, tmp_path: Path) -> None:
    mine = unpacked("models_before_delete", tmp_path / "mine")
    with serving(mine) as server:
        assert {step.do for step in planned(home, mine, server, GONE).steps} == {"remove"}


@pytest.mark.parametrize("done", [False, True])
def test_a_server_that_is_killed_before_it_answers(home: Path, models: Path, server: Ollama, done: bool) -> None:
    plan = planned(home, models, server, GONE)

    def dies(handler: BaseHTTPRequestHandler) -> bool:
        if handler.command == "DELETE" and done:
            server.delete("gone:latest")
        if handler.command == "DELETE":
            server.broken = lambda handler: True
        return handler.command == "DELETE"

    server.broken = dies
    assert cleaning.make(home, plan).states == ["intent"]
    server.broken = None
    with cleaning.yard(home):
        pass
    assert cleaning.journal(home, plan).states == ["purged" if done else "refused"]


def test_a_server_that_says_no(home: Path, models: Path, server: Ollama) -> None:
    plan = planned(home, models, server, GONE)

    def says(handler: BaseHTTPRequestHandler) -> bool:
        if handler.command == "DELETE":
            handler.send_response(500)
            handler.end_headers()
            handler.wfile.write(b'{"error": "no \\u001b[31mspace"}')
        return handler.command == "DELETE"

    server.broken = says
    ledger = cleaning.make(home, plan)
    assert ledger.states == ["refused"]
    assert ledger.reasons[0].startswith("the server answered 500: no ")
    assert "\x1b" not in ledger.reasons[0]


@pytest.mark.parametrize("address", ["http://10.0.0.1:11434", "https://127.0.0.1:1", "http://gpu-box:1", "file:///x"])
def test_a_server_elsewhere_is_never_asked(address: str) -> None:
    answer = ollama.removed(address, Ask("ollama", "model", "x", "y", "/"))
    assert (answer.gone, answer.why) == (False, "only a server of this machine is asked")
    assert ollama.present(address, Ask("ollama", "model", "x", "y", "/")) is None

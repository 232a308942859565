"""Processes, servers, kernels, adapters and projects that use an artifact."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Part, Use
from modelyard.uses import files, servers
from modelyard.uses.everyone import Everyone

RECORDED = Path(__file__).parent.parent / "data" / "ollama-0.32.15.tar.gz"


def used(home: Path, part: str, **env: str) -> list[Use]:
    """Who uses the artifact whose id holds this."""
    survey = api.survey(env, home, "linux", system=False)
    number, _ = api.find_artifact(survey, part)
    return api.everyone(survey, env, home, "linux", system=False).of(number)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stdin):
            if pipe:
                pipe.close()


def hold(started: list[subprocess.Popen[bytes]], code: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
    """A process that runs the code and then waits."""
    command = [
        sys.executable,
        "-c",
        f"import mmap, os, sys\n{code}\nprint(1, flush=True)\nsys.stdin.read()",
        *arguments,
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **env})
    started.append(process)
    assert process.stdout and process.stdout.readline() == b"1\n"
    return process


@pytest.mark.parametrize(
    ("code", "evidence"),
    [
        ("f = open(sys.argv[1], 'rb')", "has a file of it open"),
        (
            "f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, access=1); f.close(); os.closerange(3, 99)",
            "has a file of it mapped",
        ),
    ],
)
def test_a_process_that_has_a_blob_open_or_mapped(
    home: Path, started: list[subprocess.Popen[bytes]], code: str, evidence: str
) -> None:
    """Through the snapshot's link, as every loader opens it."""
    repo = makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"w.safetensors": b"w" * 5000})
    process = hold(started, code, str(repo / "snapshots" / ("a" * 40) / "w.safetensors"))
    (use,) = used(home, "acme/tiny")
    assert use.by == "process"
    assert f"(process {process.pid})" in use.who
    assert use.evidence == evidence


def test_a_process_that_holds_another_name_of_a_hard_linked_file(
    home: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    makers.layouts()["conda"](home)
    hold(started, "f = open(sys.argv[1], 'rb')", str(home / "miniconda3/pkgs/tiny-1.0-0/lib/libtiny.so"))
    assert [use.by for use in used(home, "conda:env/new")] == ["process"]


def test_a_shell_that_stands_in_an_environment(home: Path, started: list[subprocess.Popen[bytes]]) -> None:
    makers.layouts()["venv"](home)
    hold(started, "pass", VIRTUAL_ENV=str(home / "project" / ".venv"))
    use, *_ = used(home, "venv:project/.venv")
    assert (use.by, use.evidence) == ("process", "runs with VIRTUAL_ENV set to it")
    assert [use.by for use in used(home, "virtualenvs/old")] == []


def test_no_process_no_use(home: Path) -> None:
    makers.layouts()["hf"](home)
    survey = api.survey({}, home, "linux", system=False)
    everyone = api.everyone(survey, {}, home, "linux", system=False)
    assert [everyone.of(number) for number in range(len(survey.artifacts))] == [[]] * len(survey.artifacts)


class Answer(http.server.BaseHTTPRequestHandler):
    """Says what it is told to say."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/ps" else 404)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """An address on which `Answer` answers."""
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    yield f"127.0.0.1:{service.server_port}"
    service.shutdown()
    thread.join()
    service.server_close()


def test_the_recorded_answer_of_a_server_is_understood(server: str) -> None:
    with tarfile.open(RECORDED) as archive:
        recorded = archive.extractfile("./api_ps.json")
        assert recorded
        Answer.body = recorded.read()
    assert servers.loaded({"OLLAMA_HOST": server}) == []


def test_a_loaded_model_is_in_use(server: str, home: Path) -> None:
    makers.layouts()["ollama"](home)
    known = {"name": "llama3:8b", "model": "llama3:8b", "size": 5, "expires_at": "2026-11-21T05:00:00Z", "details": {}}
    Answer.body = json.dumps({"models": [known]}).encode()
    survey = api.survey({}, home, "linux", system=False)
    everyone = api.everyone(survey, {"OLLAMA_HOST": f"http://{server}"}, home, "linux", system=True)
    users = {artifact.id: everyone.of(number) for number, artifact in enumerate(survey.artifacts)}
    assert [use.evidence for use in users["ollama:llama3:8b"]] == ["has it loaded until 2026-11-21T05:00:00Z (/api/ps)"]
    assert not users["ollama:acme/pirate:v1"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"models": 7}', b"\xff" * 100])
def test_a_server_that_answers_nonsense_is_no_server(server: str, body: bytes) -> None:
    Answer.body = body
    assert servers.loaded({"OLLAMA_HOST": server}) is None


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://10.0.0.1:11434", "gpu-box:11434", "127.0.0.1:port", "[::"])
def test_a_server_elsewhere_is_not_asked_and_a_silent_one_is_none(address: str) -> None:
    assert servers.loaded({"OLLAMA_HOST": address}) is None


def kernel(folder: Path, name: str, *argv: str) -> None:
    """A kernel that starts this program."""
    makers.write(folder / name / "kernel.json", json.dumps({"argv": [*argv], "display_name": name}))


def test_a_kernel_needs_its_environment(home: Path) -> None:
    makers.layouts()["conda"](home)
    folder = home / ".local/share/jupyter/kernels"
    kernel(folder, "mine", str(home / "miniconda3/envs/new/bin/python"), "-m", "ipykernel")
    kernel(folder, "plain", "python3")
    kernel(folder, "gone", str(home / "miniconda3/envs/gone/bin/python"))
    kernel(folder, "odd", "\0")
    makers.write(folder / "broken" / "kernel.json", "[")
    assert [(use.by, use.who) for use in used(home, "conda:env/new")] == [
        ("kernel", ".local/share/jupyter/kernels/mine/kernel.json")
    ]
    assert used(home, "conda:env/old") == []


def test_where_jupyter_keeps_kernels(home: Path) -> None:
    assert next(files.kernel_folders({}, home, "macos")) == home / "Library/Jupyter/kernels"
    assert next(files.kernel_folders({"APPDATA": "/a"}, home, "windows")) == Path("/a/jupyter/kernels")
    assert next(files.kernel_folders({"JUPYTER_DATA_DIR": "/j"}, home, "linux")) == Path("/j/kernels")


def test_an_adapter_needs_its_base_model(home: Path) -> None:
    hub = home / ".cache/huggingface/hub"
    makers.hub_repo(hub, "models--acme--base", {"config.json": b"{}"})
    config = json.dumps({"base_model_name_or_path": "acme/base", "peft_type": "LORA"}).encode()
    makers.hub_repo(hub, "models--me--lora", {"adapter_config.json": config})
    makers.write(home / "out" / "adapter_config.json", config)
    makers.write(home / "broken" / "adapter_config.json", "[")
    found = {use.who for use in used(home, "acme/base")}
    assert found == {"out", f".cache/huggingface/hub/models--me--lora/snapshots/{'a' * 40}"}


def test_an_adapter_of_a_model_in_a_folder(home: Path) -> None:
    base = makers.trainer_checkpoint(home / "run", 500)
    makers.write(home / "lora" / "adapter_config.json", json.dumps({"base_model_name_or_path": str(base)}))
    assert [use.who for use in used(home, "checkpoint-500")] == ["lora"]


def test_an_environment_in_a_project(home: Path) -> None:
    makers.layouts()["venv"](home)
    assert used(home, "venv:project/.venv") == []
    makers.write(home / "project" / "requirements.txt", "torch\n")
    assert [(use.by, use.who) for use in used(home, "venv:project/.venv")] == [("project", "project")]


def test_containers_of_an_image(home: Path) -> None:
    survey = api.survey({}, home, "linux", system=False)
    whole = api.everyone(survey, {}, home, "linux", system=False)
    layers = (Part("sha256:a", 10), Part("sha256:b", 20))
    artifacts = [
        makers.service_artifact("docker:image/a", "image", layers),
        makers.service_artifact("docker:image/b", "image", (Part("sha256:c", 5),)),
        makers.service_artifact("docker:container/x", "container", (*layers, Part("x", 1))),
    ]
    everyone = Everyone(whole.tree, whole.claims, artifacts, [], 3, [], [], [], whole.code)
    assert [(use.by, use.who) for use in everyone.of(0)] == [("container", "docker:container/x")]
    assert everyone.of(1) == everyone.of(2) == []
    assert everyone.gaps() == ["3 processes could not be looked at: another user's, or protected"]

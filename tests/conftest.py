"""Every test gets a home of its own; the real one cannot be reached."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from modelyard import cli
from modelyard.cli.errors import guarded
from typed import Answer, Run

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it runs behind with Ctrl-C ignored
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # how long an example takes says more of the machine than of the code

VARIABLES = (
    "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "PYTORCH_", "SENTENCE_", "LLAMA_", "OLLAMA_", "TORCH_", "CONDA_", "MAMBA_",
    "PIP_CACHE", "PIP_CONFIG", "MODELYARD_REGISTRY", "DOCKER_", "CONTAINER_", "XDG_", "COLUMNS", "NO_COLOR",
    "FORCE_COLOR",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home, with no variable left that could lead out of it, and no engine of this machine."""
    for name in list(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    fresh = tmp_path / "home"
    fresh.mkdir()
    monkeypatch.setenv("HOME", str(fresh))
    monkeypatch.setenv("USERPROFILE", str(fresh))
    monkeypatch.chdir(fresh)
    monkeypatch.setattr("modelyard.stores.docker_folders.MACHINE", str(tmp_path / "machine"))
    return fresh


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the test's home."""

    def typed(*words: str) -> Answer:
        arguments = ["--home", str(home), *words]
        code = guarded(lambda: cli.modelyard.main(arguments, standalone_mode=False, prog_name="modelyard"))
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return typed

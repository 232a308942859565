"""Every test gets a home of its own; the real one cannot be reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLES = (
    "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "PYTORCH_", "SENTENCE_", "LLAMA_", "OLLAMA_", "TORCH_", "CONDA_", "MAMBA_",
    "PIP_CACHE", "PIP_CONFIG", "DOCKER_", "CONTAINER_", "XDG_", "COLUMNS", "NO_COLOR", "FORCE_COLOR",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home, with no variable left that could lead out of it."""
    for name in list(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    fresh = tmp_path / "home"
    fresh.mkdir()
    monkeypatch.setenv("HOME", str(fresh))
    monkeypatch.setenv("USERPROFILE", str(fresh))
    monkeypatch.chdir(fresh)
    return fresh

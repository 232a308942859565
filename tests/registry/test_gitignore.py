"""The .gitignore of a registry, asked of git itself: every format stays out, what is known of models stays in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import modelyard as my
from modelyard.formats.known import FORMATS, GUESSES
from modelyard.registry.gitignore import SUFFIXES, TEXTS
from modelyard.safety.signs import OFTEN, PICKLED
from modelyard.stores.model_names import MODEL

OUT = (
    "model.safetensors", "model-00001-of-00002.safetensors", "model.gguf", "a.ckpt", "a.PT", "a.pth", "a.bin", "a.h5",
    "a.keras", "model.onnx", "model.onnx.data", "model.onnx_data", "__0_0.distcp", "a.skops", "a.joblib", "a.pkl",
    "model.ubj", "model.cbm", "model.txt", "a.npz", "a.npy", "a.tflite", "a.engine", "a.mlmodel", "saved_model.pb",
    "variables/variables.index", "ckpt.data-00000-of-00001", "a.msgpack", "a.nemo", "a.tar.gz", "code/weights.pt",
    ".modelyard-version-0123456789abcdef/metadata.json",
)  # fmt: skip
IN = (
    "metadata.json", "config.json", "SHA256SUMS", "README.md", "tokenizer.json", "vocab.txt", "generation_config.json",
    "model.safetensors.index.json", "code/train.py", "LICENSE", "special_tokens_map.json", "merges.txt",
)  # fmt: skip


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version in a repository."""
    folder = tmp_path_factory.mktemp("project")
    subprocess.run(["git", "init", "-q", folder], check=True)
    my.Registry(folder / "models").init()
    return folder / "models" / "net" / "v1.0.0"


def ignored(path: Path) -> bool:
    """Whether git leaves it out."""
    folder = next(each for each in path.parents if each.is_dir())
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=folder, check=False).returncode == 0


def test_every_format_that_modelyard_reads_has_its_endings() -> None:
    assert {each.TITLE for each in (*FORMATS, *GUESSES)} - TEXTS == set(SUFFIXES)


@pytest.mark.parametrize("name", OUT)
def test_a_model_stays_out(version: Path, name: str) -> None:
    assert ignored(version / name)


@pytest.mark.parametrize("name", IN)
def test_what_is_known_of_it_stays_in(version: Path, name: str) -> None:
    assert not ignored(version / name)
    assert not ignored(version.parent / "aliases.json") and not ignored(version.parents[1] / ".modelyard-registry")


def test_every_ending_that_other_parts_know_stays_out(version: Path) -> None:
    endings = {each.decode() for each in MODEL} | {*PICKLED, *OFTEN}
    assert [each for each in endings if not ignored(version / f"a{each}")] == []

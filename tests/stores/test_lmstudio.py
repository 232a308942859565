"""LM Studio: where its home is, and models by publisher, repository and quantisation."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import lmstudio


def make(home: Path) -> None:
    """Two quantisations, an MLX model, a download under way, a runtime."""
    base = home / ".lmstudio"
    makers.write(base / "settings.json", "{}")
    makers.write(base / ".internal" / "http-server.json", "{}")
    for name in ("Tiny-Q4_K_M", "Tiny-Q8_0"):
        makers.write(base / "models" / "acme" / "Tiny-GGUF" / f"{name}.gguf", b"GGUF" + name.encode() * 500)
    makers.write(base / "models" / "mlx" / "Tiny-4bit" / "model.safetensors", b"w" * 6000)
    makers.write(base / "models" / "acme" / "Half-GGUF" / "Half-Q4_0.gguf.part", b"half")
    makers.write(base / "extensions" / "backends" / "llama.cpp-1.2.0" / "libllama.so", b"r" * 5000)


def artifacts(home: Path) -> dict[str, Artifact]:
    """The artifacts of the home by id."""
    return {each.id: each for each in api.survey({}, home, "linux", system=False).artifacts}


def first_root(home: Path) -> tuple[str, str]:
    """The home of the app and how it was found."""
    root = makers.named(lmstudio, home)[0]
    return root.path.removeprefix(f"{home}/"), root.found_by


def test_the_new_home_is_the_default(home: Path) -> None:
    assert first_root(home) == (".lmstudio", "default")


def test_the_old_home_wins_where_it_is_there(home: Path) -> None:
    (home / ".cache" / "lm-studio").mkdir(parents=True)
    assert first_root(home)[0] == ".cache/lm-studio"


def test_the_pointer_file_wins_over_both(home: Path, tmp_path: Path) -> None:
    (home / ".cache" / "lm-studio").mkdir(parents=True)
    makers.write(home / ".lmstudio-home-pointer", f"{tmp_path}/moved\n")
    assert first_root(home) == (f"{tmp_path}/moved", "~/.lmstudio-home-pointer")


def test_a_moved_models_folder_is_read_and_what_stayed_behind_too(home: Path, tmp_path: Path) -> None:
    make(home)
    makers.write(tmp_path / "big" / "globex" / "Moved-GGUF" / "Moved-Q4_0.gguf", b"GGUF")
    makers.write(home / ".lmstudio" / "settings.json", json.dumps({"downloadsFolder": str(tmp_path / "big")}))
    found = artifacts(home)
    assert {"lmstudio:globex/Moved-GGUF@Q4_0", "lmstudio:acme/Tiny-GGUF@Q8_0"} <= set(found)


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("Tiny-Q4_K_M.gguf", "Q4_K_M"),
        ("tiny.q8_0.gguf", "q8_0"),
        ("Tiny-IQ2_XXS.gguf", "IQ2_XXS"),
        ("Tiny-BF16.gguf", "BF16"),
        ("Tiny-Q4_K_M-00001-of-00003.gguf", "Q4_K_M"),
        ("Tiny-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("Quartz-7B.gguf", "Quartz-7B"),
    ],
)
def test_quantisation_from_the_file_name(file: str, label: str, home: Path) -> None:
    makers.write(home / ".lmstudio" / "models" / "acme" / "Tiny" / file, b"GGUF")
    assert list(artifacts(home)) == [f"lmstudio:acme/Tiny@{label}"]


def test_the_parts_of_a_split_model_are_one(home: Path) -> None:
    for part in (1, 2, 3):
        makers.write(home / f".lmstudio/models/acme/Big/Big-Q4_K_M-0000{part}-of-00003.gguf", b"GGUF" * 1000)
    assert len(artifacts(home)["lmstudio:acme/Big@Q4_K_M"].blobs) == 3


def test_the_image_part_is_shared_by_all_quantisations(home: Path) -> None:
    folder = home / ".lmstudio/models/acme/See"
    makers.write(folder / "mmproj-See-f16.gguf", b"G" * 50_000)
    for name in ("See-Q4_0.gguf", "See-Q8_0.gguf"):
        makers.write(folder / name, b"G" * 90_000)
    survey = api.survey({}, home, "linux", system=False)
    for each in survey.artifacts:
        assert each.sizes.allocated > 140_000 > each.sizes.freed
    assert survey.freed([each.id for each in survey.artifacts]).freed > 230_000


def test_an_imported_link_takes_nothing(home: Path, tmp_path: Path) -> None:
    outside = makers.write(tmp_path / "elsewhere.gguf", b"G" * 90_000)
    folder = home / ".lmstudio/models/acme/Linked"
    folder.mkdir(parents=True)
    (folder / "Linked-Q4_0.gguf").symlink_to(outside)
    found = artifacts(home)["lmstudio:acme/Linked@Q4_0"]
    assert found.sizes.freed < 10_000
    assert "link" in found.detail


def test_an_imported_hard_link_frees_nothing_alone(home: Path, tmp_path: Path) -> None:
    outside = makers.write(tmp_path / "elsewhere.gguf", b"G" * 90_000)
    folder = home / ".lmstudio/models/acme/Linked"
    folder.mkdir(parents=True)
    os.link(outside, folder / "Linked-Q4_0.gguf")
    found = artifacts(home)["lmstudio:acme/Linked@Q4_0"]
    assert found.sizes.freed < 10_000 < 90_000 < found.sizes.allocated


def test_a_home_copied_anywhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".lmstudio").rename(home / "backup-of-lmstudio")
    assert "lmstudio:mlx/Tiny-4bit" in artifacts(home)

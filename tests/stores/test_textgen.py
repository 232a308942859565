"""text-generation-webui, recognised wherever it was unpacked."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers

HASHES = f"sha256sum:\n    {'a' * 64} model.safetensors\n    {'b' * 64} parts/second.safetensors\n"
NOTE = "url: https://huggingface.co/acme/tiny\nbranch: main\ndownload date: 2026-01-01 00:00:00\n" + HASHES


def data(folder: Path) -> None:
    """Models with and without a source, adapters, training data, and what the program ships."""
    makers.write(folder / "models" / "acme_tiny" / "huggingface-metadata.txt", NOTE)
    makers.write(folder / "models" / "acme_tiny" / "model.safetensors", b"w" * 5000)
    makers.write(folder / "models" / "acme_tiny" / "parts" / "second.safetensors", b"w" * 5000)
    makers.write(folder / "models" / "by-hand.Q4_K_M.gguf", b"w" * 5000)
    makers.write(folder / "models" / "place-your-models-here.txt", "")
    makers.write(folder / "models" / "config-user.yaml", "")
    makers.write(folder / "loras" / "mine" / "adapter_model.safetensors", b"w" * 3000)
    makers.write(folder / "training" / "datasets" / "put-trainer-datasets-here.txt", "")
    makers.write(folder / "training" / "datasets" / "mine.json", b"d" * 3000)
    makers.write(folder / "training" / "formats" / "alpaca.json", "{}")


def make(home: Path) -> None:
    """A present install."""
    makers.write(home / "tgw" / "download-model.py", "")
    makers.write(home / "tgw" / "user_data" / "CMD_FLAGS.txt", "")
    makers.write(home / "tgw" / "user_data" / "settings-template.yaml", "")
    data(home / "tgw" / "user_data")


def old(home: Path) -> None:
    """An install of before 2025."""
    for name in ("server.py", "download-model.py", "modules/paths.py"):
        makers.write(home / "tgw" / name, "")
    data(home / "tgw")


def portable(home: Path) -> None:
    """Several unpacked versions above one folder of a person's own."""
    for version in ("textgen-portable-3.9", "textgen-portable-3.10"):
        makers.write(home / "apps" / version / "download-model.py", "")
        makers.write(home / "apps" / version / "server.py", "")
    (home / "apps" / "user_data" / "characters").mkdir(parents=True)
    data(home / "apps" / "user_data")


@pytest.mark.parametrize("layout", [make, old, portable])
def test_every_generation_of_its_folders(layout: object, home: Path) -> None:
    assert callable(layout)
    layout(home)
    found = {name.partition(":")[2]: each for name, each in makers.artifacts(home).items()}
    assert {name: (each.kind, each.recovery, each.state) for name, each in found.items()} == {
        "models/acme_tiny": ("model", "re-get", "complete"),
        "models/by-hand.Q4_K_M.gguf": ("model", "none", "complete"),
        "loras/mine": ("model", "none", "complete"),
        "training/datasets": ("dataset", "none", "complete"),
    }
    assert found["models/acme_tiny"].facts == (("from", "https://huggingface.co/acme/tiny"),)
    assert found["models/acme_tiny"].tags == ("main",)


def test_a_file_that_the_downloader_listed_first_and_never_got(home: Path) -> None:
    make(home)
    (home / "tgw/user_data/models/acme_tiny/parts/second.safetensors").unlink()
    found = makers.artifacts(home)["textgen:models/acme_tiny"]
    assert (found.state, found.detail) == ("partial", "1 of 2 large files missing")


def test_training_data_that_only_came_with_the_program_is_nobodys(home: Path) -> None:
    make(home)
    (home / "tgw/user_data/training/datasets/mine.json").unlink()
    makers.write(home / "tgw/user_data/training/datasets/example_text.json", "{}")
    assert "textgen:training/datasets" not in makers.artifacts(home)


def test_another_programs_folder_of_that_name_is_not_taken(home: Path) -> None:
    makers.write(home / "game" / "user_data" / "models" / "castle.obj", b"o" * 3000)
    makers.write(home / "game" / "user_data" / "saves" / "1.sav", b"s" * 3000)
    assert not makers.artifacts(home)

"""KoboldCpp beside its models, its settings, and what it unpacked among the temporary files."""

from __future__ import annotations

import json
from pathlib import Path

import makers
from modelyard.stores import koboldcpp

ADDRESS = "https://huggingface.co/acme/tiny/resolve/main/tiny.Q4_K_M.gguf?download=true"


def make(home: Path) -> None:
    """The program with models got and copied, a half download of aria2, and an unpacked copy of it."""
    place = home / "kobold"
    makers.write(place / "koboldcpp-linux-x64", b"\x7fELF" * 500)
    makers.write(place / "tiny.Q4_K_M.gguf", b"GGUF" * 1000)
    makers.write(place / "mine.gguf", b"GGUF" * 900)
    makers.write(place / "half.gguf", b"GGUF" * 800)
    makers.write(place / "half.gguf.aria2", b"a" * 40)
    makers.write(place / "story.kcpps", json.dumps({"model_param": ADDRESS, "lora": ["C:\\models\\mine.gguf"]}))
    makers.write(home / "tmp" / "_MEIabc123" / "koboldcpp_default.so", b"\x7fELF" * 2000)
    makers.write(home / "tmp" / "_MEIother" / "another_program.so", b"\x7fELF" * 2000)


def variables(home: Path) -> dict[str, str]:
    """Temporary files lie outside every home."""
    return {"TMPDIR": str(home / "tmp")}


def test_where_copies_of_it_are_unpacked(home: Path) -> None:
    make(home)
    assert makers.places(koboldcpp, home, "linux", TMPDIR=str(home / "tmp")) == [
        ("~/tmp/_MEIabc123", "temporary files"),
        ("~/tmp/_MEIother", "temporary files"),
    ]
    assert makers.places(koboldcpp, home, "windows", TEMP=str(home / "tmp"))[0][0] == "~/tmp/_MEIabc123"
    assert makers.places(koboldcpp, home, TMPDIR=str(home / "none")) == []


def test_models_by_what_its_settings_tell(home: Path) -> None:
    make(home)
    found = {name.partition(":")[2]: each for name, each in makers.artifacts(home, **variables(home)).items()}
    assert {name: (each.recovery, each.state) for name, each in found.items()} == {
        "kobold/tiny.Q4_K_M.gguf": ("re-get", "complete"),
        "kobold/mine.gguf": ("none", "complete"),
        "#partial": ("re-get", "partial"),
        "tmp/_MEIabc123": ("re-make", "complete"),
    }
    assert found["kobold/tiny.Q4_K_M.gguf"].facts == (("named by", "story.kcpps"), ("from", ADDRESS))
    assert found["kobold/mine.gguf"].facts == (("named by", "story.kcpps"),)
    assert len(found["#partial"].blobs) == 2


def test_models_without_the_program_or_its_settings_are_not_its(home: Path) -> None:
    makers.write(home / "models" / "mine.gguf", b"GGUF" * 900)
    makers.write(home / "downloads" / "film.mkv.aria2", b"a" * 40)
    assert not makers.artifacts(home)

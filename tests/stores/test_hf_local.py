"""Folders that `hf download --local-dir` filled."""

from __future__ import annotations

from pathlib import Path

import makers

NOTE = f"{'a' * 40}\n{'b' * 64}\n1700000000.0\n"


def make(home: Path) -> None:
    """Two downloaded files, one half, and somebody's own file beside them."""
    folder = home / "models" / "tiny"
    notes = folder / ".cache" / "huggingface" / "download"
    for name in ("model.safetensors", "onnx/model.onnx"):
        makers.write(folder / name, b"w" * 5000)
        makers.write(notes / f"{name}.metadata", NOTE)
    makers.write(notes / "abc.def.incomplete", b"half")
    makers.write(folder / "my_notes.txt", b"mine" * 1000)


def test_only_what_was_downloaded_is_claimed(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    whole = found["hf-local:models/tiny"]
    assert (whole.revision, len(whole.blobs), whole.recovery) == ("a" * 40, 2, "re-get")
    assert 10_000 < whole.sizes.apparent < 14_000
    assert found["hf-local:models/tiny#partial"].state == "partial"


def test_a_note_elsewhere_is_no_download(home: Path) -> None:
    makers.write(home / "run" / "step.metadata", NOTE)
    assert not makers.artifacts(home)

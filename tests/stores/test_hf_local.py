"""Folders that `hf download --local-dir` filled."""

from __future__ import annotations

from pathlib import Path

import makers

NOTE = f"{'a' * 40}\n{'b' * 64}\n{{}}\n"
LATER, EARLIER = 4_000_000_000, 1_700_000_000.5


def make(home: Path) -> None:
    """Two downloaded files, one half, somebody's own file beside them, and a download that was changed."""
    folder = home / "models" / "tiny"
    notes = folder / ".cache" / "huggingface" / "download"
    for name in ("model.safetensors", "onnx/model.onnx"):
        makers.write(folder / name, b"w" * 5000)
        makers.write(notes / f"{name}.metadata", NOTE.format(LATER))
    tuned = home / "models" / "tuned"
    makers.write(tuned / "model.safetensors", b"t" * 5000)
    for name, noted in (("model.safetensors", EARLIER), ("config.json", LATER)):
        makers.write(tuned / ".cache/huggingface/download" / f"{name}.metadata", NOTE.format(noted))
    makers.write(notes / "abc.def.incomplete", b"half")
    makers.write(folder / "my_notes.txt", b"mine" * 1000)


def test_only_what_was_downloaded_is_claimed(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    whole = found["hf-local:models/tiny"]
    assert (whole.revision, len(whole.blobs), whole.recovery) == ("a" * 40, 2, "re-get")
    assert 10_000 < whole.sizes.apparent < 14_000
    assert found["hf-local:models/tiny#partial"].state == "partial"


def test_a_file_that_was_changed_after_its_download_cannot_be_had_again(home: Path) -> None:
    make(home)
    tuned = makers.artifacts(home)["hf-local:models/tuned"]
    assert tuned.recovery == "none"
    assert tuned.detail == "1 files changed since they were downloaded, 1 files are no longer here"


def test_a_note_elsewhere_is_no_download(home: Path) -> None:
    makers.write(home / "run" / "step.metadata", NOTE.format(LATER))
    assert not makers.artifacts(home)

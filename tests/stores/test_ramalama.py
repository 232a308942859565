"""RamaLama's store; the real client fills one in tests/runners_real."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import makers
from modelyard.problem import Problem
from modelyard.stores import ramalama

STORE = Path(".local/share/ramalama/store")


def tag(folder: Path, name: str, *contents: bytes) -> Path:
    """A tag of files, each a blob that the snapshot links to."""
    files = []
    digest = f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"
    for number, content in enumerate(contents):
        blob = f"sha256-{hashlib.sha256(content).hexdigest()}"
        if not (folder / "blobs" / blob).exists():
            makers.write(folder / "blobs" / blob, content)
        (folder / "snapshots" / digest).mkdir(parents=True, exist_ok=True)
        os.link(folder / "blobs" / blob, folder / "snapshots" / digest / f"file-{number}")
        files.append({"hash": blob, "name": f"file-{number}", "type": "gguf"})
    told = {"hash": digest.replace("-", ":", 1), "files": files, "path": "", "version": "v1.0.1"}
    return makers.write(folder / "refs" / f"{name}.json", json.dumps(told))


def make(home: Path) -> None:
    """A model with two tags and what they share, a local file's copy, a half download and a blob of no tag."""
    tiny = home / STORE / "ollama" / "library" / "tiny"
    tag(tiny, "latest", b"w" * 80000, b"template")
    tag(tiny, "7b", b"w" * 80000)
    makers.write(tiny / "blobs" / "sha256-abc.partial", b"half")
    makers.write(tiny / "blobs" / f"sha256-{'f' * 64}", b"left" * 900)
    tag(home / STORE / "file" / "home" / "me" / "x.gguf", "latest", b"x" * 5000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    service = ("/var/lib/ramalama", "default of the root user")
    assert makers.places(ramalama, home) == [("~/.local/share/ramalama", "default"), service]
    assert makers.places(ramalama, home, "windows") == [("~/.local/share/ramalama", "default")]
    file = makers.write(home / ".config/ramalama/ramalama.conf", '[ramalama]\nstore = "~/models"\n')
    assert makers.places(ramalama, home)[0] == ("~/models", str(file))
    assert makers.places(ramalama, home, RAMALAMA_STORE="/s")[0] == ("/s", "RAMALAMA_STORE")
    other = makers.write(home / "other.conf", '[ramalama]\nstore = "/o"\n')
    assert makers.places(ramalama, home, RAMALAMA_CONFIG=str(other))[0] == ("/o", str(other))


def test_damaged_settings_are_told(home: Path) -> None:
    makers.write(home / ".config/ramalama/ramalama.conf", "store =")
    assert [place.code for place in ramalama.roots({}, home, "linux") if isinstance(place, Problem)] == [
        "unreadable-settings"
    ]


def test_tags_half_downloads_and_blobs_of_no_tag(home: Path) -> None:
    make(home)
    found = {name.partition(":")[2]: each for name, each in makers.artifacts(home).items()}
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        "ollama://library/tiny:latest": ("complete", "re-get"),
        "ollama://library/tiny:7b": ("complete", "re-get"),
        "file://home/me/x.gguf:latest": ("complete", "none"),
        "#partial": ("partial", "re-get"),
        "#orphan": ("orphan", "re-get"),
    }
    assert found["ollama://library/tiny:7b"].sizes.freed < 80000


def test_a_damaged_tag_keeps_everything_of_its_model(home: Path) -> None:
    make(home)
    makers.write(home / STORE / "ollama/library/tiny/refs/7b.json", "{")
    found = makers.artifacts(home)
    assert found["ramalama:ollama://library/tiny:7b"].state == "corrupt"
    assert "ramalama:#orphan" not in found
    assert found["ramalama:ollama://library/tiny:latest"].sizes.freed < 80000


def test_a_store_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / STORE).parent.rename(home / "moved")
    assert "ramalama:ollama://library/tiny:latest" in makers.artifacts(home)


def test_a_tag_of_an_old_version_is_whole_and_keeps_everything(home: Path) -> None:
    make(home)
    refs = home / STORE / "ollama/library/tiny/refs"
    (refs / "7b.json").unlink()
    makers.write(refs / "7b", "sha256:abc\nfile-0---model\n")
    found = makers.artifacts(home)
    assert found["ramalama:ollama://library/tiny:7b"].state == "complete"
    assert "ramalama:#orphan" not in found

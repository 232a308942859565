"""GPT4All's models."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import gpt4all


def make(home: Path) -> None:
    """A model of the program, one of the package, halves of both, and a chat."""
    app, package = home / ".local/share/nomic.ai/GPT4All", home / ".cache/gpt4all"
    makers.write(app / "tiny.Q4_0.gguf", b"GGUF" * 1000)
    makers.write(app / "incomplete-big.Q4_0.gguf", b"half")
    makers.write(app / "chat-1.chat", b"mine" * 500)
    makers.write(package / "other.Q4_0.gguf", b"GGUF" * 900)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(gpt4all, home)[0] == ("~/.local/share/nomic.ai/GPT4All", "default")
    mac = makers.places(gpt4all, home, "macos")
    assert mac[0] == ("~/Library/Application Support/nomic.ai/GPT4All", "default")
    assert makers.places(gpt4all, home, "windows", LOCALAPPDATA="/l")[0] == ("/l/nomic.ai/GPT4All", "default")
    makers.write(home / ".config/nomic.ai/GPT4All.ini", "[General]\nmodelPath=/mnt/models\n")
    assert makers.places(gpt4all, home)[0] == ("/mnt/models", "~/.config/nomic.ai/GPT4All.ini".replace("~", str(home)))


def test_models_and_no_chats(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.state for name, each in found.items()} == {
        "gpt4all:tiny.Q4_0.gguf": "complete",
        "gpt4all:#partial": "partial",
        "gpt4all:other.Q4_0.gguf": "complete",
    }

"""`modelyard doctor` as a person types it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

import makers
from doctor.patients import age
from doctor.test_doctor import sick
from modelyard import cli
from modelyard.cli import doctor, documents
from modelyard.cli.errors import guarded
from modelyard.doctor import CHECKS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command on the test's home, with no volume that could be full."""
    monkeypatch.setattr("modelyard.doctor.mount_table", tuple)

    def typed(*words: str) -> tuple[int, str, str]:
        arguments = ["--home", str(home), "doctor", *words]
        code = guarded(lambda: cli.modelyard.main(arguments, standalone_mode=False, prog_name="modelyard"))
        out, err = capfd.readouterr()
        return code, out, err

    return typed


def test_a_healthy_home_ends_with_zero(run: Run, home: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"w": b"w"})
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out == f"Nothing to mend: {len(CHECKS)} checks, 1 artifact.\n"


def test_a_note_alone_ends_with_zero(run: Run, home: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"w": b"w"})
    half = home / ".cache/huggingface/hub/models--acme--tiny/blobs" / f"{'a' * 64}.12345678.incomplete"
    age(makers.write(half, b"h"), 30)
    code, out, _ = run()
    assert code == 0
    assert "Nothing to mend" in out and "Worth knowing (1)" in out


def test_something_to_mend_ends_with_five(run: Run, home: Path) -> None:
    sick(home)
    code, out, err = run()
    assert (code, err) == (5, "")
    assert "Nothing to mend" not in out
    assert out.index("Dangers") < out.index("Faults")
    assert "$ sed -i.bak" in out


def test_json_is_one_document_of_its_documented_type(run: Run, home: Path) -> None:
    sick(home)
    code, out, err = run("--json")
    document = msgspec.json.decode(out, type=documents.DOCUMENTS["doctor"], strict=True)
    assert (code, err) == (5, "")
    assert msgspec.json.decode(msgspec.json.encode(document)) == json.loads(out)
    line = json.loads(out)["complaints"][0]
    assert set(line) == {"code", "severity", "place", "message", "consequence", "command", "caution"}
    assert json.loads(out)["checks"] == len(CHECKS)


def drawn(home: Path, width: int, monkeypatch: pytest.MonkeyPatch, *, terminal: bool = True) -> list[str]:
    """The lines on a terminal of this width; commands are not wrapped by us."""
    out = Console(width=width, file=io.StringIO(), force_terminal=terminal, color_system=None)
    monkeypatch.setattr(doctor, "console", lambda: out)
    monkeypatch.setattr("modelyard.doctor.mount_table", tuple)
    words = ["--home", str(home), "doctor"]
    assert cli.modelyard.main(words, standalone_mode=False, prog_name="modelyard") == 5
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_only_commands_are_longer_than_the_screen(width: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sick(home, "a folder with a name that is much longer than a narrow screen is wide")
    lines = drawn(home, width, monkeypatch)
    commands = [line for line in lines if line.startswith("    $ ")]
    assert len(commands) >= 8
    assert all(cell_len(line) <= width for line in lines if line not in commands)


def test_in_a_pipe_every_sentence_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sick(home)
    lines = drawn(home, 60, monkeypatch, terminal=False)
    assert any(line.startswith("  HF") or len(line) > 60 for line in lines if not line.startswith("    $"))
    assert not [line for line in lines if line and not line.startswith(("  ", "Dangers", "Faults", "Worth", "Could"))]


def test_a_screen_shows_a_few_of_many_alike_and_counts_the_rest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        age(makers.write(home / ".cache/torch_extensions/py311" / f"op{number}" / "lock", b""), 3)
    lines = drawn(home, 80, monkeypatch)
    assert len([line for line in lines if line.startswith("    $ rm")]) == doctor.ALIKE
    assert "  and 26 more like it: --json lists them all" in [line.rstrip() for line in lines]


def test_names_of_variables_and_paths_keep_their_letters() -> None:
    assert doctor._sentence("the key is open") == "The key is open."
    assert doctor._sentence("~/a is full") == "~/a is full."
    assert doctor._sentence("huggingface_hub 1.0 is old") == "huggingface_hub 1.0 is old."

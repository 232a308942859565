"""`modelyard registry` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from modelyard.cli import documents
from modelyard.cli.registry import VERBS
from registry.test_codecs import onnx_model
from typed import Run


@pytest.fixture
def weights(home: Path, run: Run) -> Path:
    """A file of weights beside a registry."""
    assert run("registry", "init").code == 0
    safetensors.numpy.save_file({"w": np.arange(2000, dtype=np.float32)}, home / "w.safetensors")
    return home / "w.safetensors"


def test_from_nothing_to_a_version_that_is_used(run: Run, home: Path, weights: Path) -> None:
    answer = run("registry", "save", "w.safetensors", "net", "--metric", "f1=0.93", "--tag", "a", "--license", "MIT")
    assert (answer.code, answer.out, answer.err) == (0, "net@1.0.0\n", f"{home}/models/net/v1.0.0\n")
    assert run("registry", "save", "w.safetensors", "net", "--parent", "net").out == "net@1.1.0\n"
    assert run("registry", "alias", "net", "production", "~1.0").out == "production\tnet@1.0.0\n"
    lines = run("registry", "ls").out.splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [["net@1.1.0", ""], ["net@1.0.0", "production"]]
    assert lines[2].split("\t")[3] == "f1 0.93"
    answer = run("registry", "load", "net@production", "--to", "out")
    assert (answer.code, answer.out) == (0, "out\n")
    assert safetensors.numpy.load_file(home / "out" / "model.safetensors")["w"][7] == 7
    assert (home / "out" / "model.safetensors").stat().st_mode & 0o200
    assert (
        subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=home / "out", capture_output=True, check=False).returncode
        == 0
    )
    assert run("registry", "load", "net").out == f"{home}/models/net/v1.1.0\n"
    answer = run("registry", "load", "net@production", "--to", "out")
    assert (answer.code, "is there already" in answer.err) == (4, True)


def test_show_tells_everything(run: Run, home: Path, weights: Path) -> None:
    import onnx

    onnx.save(onnx_model(), home / "m.onnx")
    (home / "settings.json").write_text('{"lr": 0.1}')
    words = ("--training", "settings.json", "--dataset", "mnist=hf://mnist", "--task", "digits", "--version", "2.0.0")
    assert run("registry", "save", "m.onnx", "digits", *words).code == 0
    out = run("registry", "show", "digits").out
    for text in ("digits@2.0.0  ONNX", "task       digits", "training   lr 0.1", "data       mnist", "model.onnx\t"):
        assert text in out
    found = json.loads(run("registry", "show", "digits", "--json").out)
    assert (found["id"], found["metadata"]["training"], found["lineage"]) == (
        "digits@2.0.0",
        {"lr": 0.1},
        ["digits@2.0.0"],
    )


def test_verify_finds_what_was_changed(run: Run, home: Path, weights: Path) -> None:
    for _ in range(2):
        run("registry", "save", "w.safetensors", "net")
    answer = run("registry", "verify")
    assert (answer.code, answer.out.splitlines()[-1].startswith("2 versions, 4 files sound")) == (0, True)
    path = home / "models" / "net" / "v1.0.0" / "metadata.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("1.0.0", "1.0.1"))
    answer = run("registry", "verify", "net")
    assert (answer.code, answer.out.splitlines()[1].split("\t")[:3]) == (5, ["corrupt", "net@1.0.0", "metadata.json"])
    assert run("registry", "verify", "net@1.1.0").code == 0
    found = msgspec.json.decode(run("registry", "verify", "--json").out, type=documents.VerifiedVersions)
    assert (found.sound, {each.state for each in found.items}) == (False, {"ok", "corrupt"})
    lines = run("registry", "ls").out.splitlines()
    assert "its metadata are those of net@1.0.1" in lines[2]


def test_removed_and_brought_back(run: Run, home: Path, weights: Path) -> None:
    for _ in range(3):
        run("registry", "save", "w.safetensors", "net")
    run("registry", "alias", "net", "production", "1.1.0")
    assert "say which version" in run("registry", "rm", "net", "--yes").err
    answer = run("registry", "rm", "net@1.1.0", "--yes")
    assert (answer.code, "is what 'production' means" in answer.err) == (4, True)
    answer = run("registry", "rm", "net@1.0.0")
    assert (answer.code, "needs --yes" in answer.err) == (4, True)
    answer = run("registry", "rm", "net@1.0.0", "net@1.2.0", "--yes")
    assert (answer.code, answer.out.startswith("2 things moved into the trash")) == (0, True)
    assert len(run("registry", "ls").out.splitlines()) == 2
    assert run("undo").code == 0
    assert len(run("registry", "ls").out.splitlines()) == 4
    assert run("registry", "verify").code == 0
    assert run("registry", "rm", "net@*", "--yes").code == 0
    assert not list((home / "models" / "net").iterdir())
    assert run("undo").code == 0
    assert run("registry", "alias", "net").out == "production\tnet@1.1.0\n"


def test_diff(run: Run, home: Path, weights: Path) -> None:
    run("registry", "save", "w.safetensors", "net")
    safetensors.numpy.save_file({"w": np.arange(1, 2001, dtype=np.float32), "b": np.ones(2)}, home / "w.safetensors")
    run("registry", "save", "w.safetensors", "net", "--metric", "f1=1")
    out = run("registry", "diff", "net@1.0.0", "net").out
    assert "w\tvalues\tF32 [2000]\tF32 [2000]\t1" in out and "b\tadded\t-\tF64 [2]" in out and "f1\t-\t1.0" in out
    found = msgspec.json.decode(run("registry", "diff", "net@1.0.0", "net", "--json").out, type=documents.Compared)
    assert [(each.name, each.largest) for each in found.tensors] == [("w", 1.0), ("b", None)]


SAYS = {
    ("ls",): "`modelyard registry init models` makes one there",
    ("save", "none.onnx", "net"): "models is no registry",
}


@pytest.mark.parametrize("words", SAYS, ids=" ".join)
def test_without_a_registry_the_next_command_is_told(run: Run, words: tuple[str, ...]) -> None:
    answer = run("registry", *words)
    assert (answer.code, answer.out, SAYS[words] in answer.err) == (2, "", True)


ERRORS = {
    ("save", "none.onnx", "net"): (1, "none.onnx"), ("save", "w.safetensors", "../x"): (1, "no name for a model"),
    ("save", "w.safetensors", "net", "--version", "1"): (1, "no semantic version"),
    ("save", "w.safetensors", "net", "--metric", "f1"): (2, "NAME=NUMBER"), ("load", "nothing"): (1, "no model"),
    ("save", "notes.txt", "net"): (1, "no model file"), ("alias", "net", "production"): (2, "give the VERSION"),
    ("save", "w.safetensors", "net", "--training", "notes.txt"): (1, "one JSON object"),
    ("save", "bad.pkl", "net"): (4, "modelyard convert"), ("verify", "nothing"): (1, "no model"),
}  # fmt: skip


@pytest.mark.parametrize("words", ERRORS, ids=" ".join)
def test_an_error_says_what_failed_and_what_to_type(
    run: Run, home: Path, weights: Path, words: tuple[str, ...]
) -> None:
    (home / "notes.txt").write_text("hello")
    (home / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    answer = run("registry", *words)
    assert (answer.code, answer.out, ERRORS[words][1] in answer.err) == (ERRORS[words][0], "", True)


def test_the_registry_may_lie_anywhere(run: Run, home: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("registry", "init", "elsewhere", "--json").code == 0
    monkeypatch.setenv("MODELYARD_REGISTRY", str(home / "elsewhere"))
    found = msgspec.json.decode(
        run("registry", "save", "w.safetensors", "a/b", "--json").out, type=documents.SavedVersion
    )
    assert (found.id, found.files) == ("a/b@1.0.0", ["model.safetensors"])
    listed = msgspec.json.decode(run("registry", "ls", "--json").out, type=documents.Registered)
    assert [each.id for each in listed.versions] == ["a/b@1.0.0"]
    assert run("registry", "ls", "--registry", "models").out.startswith("nothing was saved here yet")
    assert run("registry", "gitignore").out == (home / "elsewhere" / ".gitignore").read_text()


def test_looking_imports_no_framework(home: Path, weights: Path) -> None:
    program = (
        "import sys, modelyard\nfrom modelyard import cli\nmodelyard.Registry('models').verify()\n"
        "sys.argv = ['modelyard', 'registry', 'ls']\ntry:\n cli.main()\nexcept SystemExit: pass\n"
        "print({'torch', 'numpy', 'sklearn', 'onnx', 'keras', 'transformers', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=home, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run: Run, verb: str) -> None:
    answer = run("registry", verb, "--help")
    assert answer.code == 0 and answer.out.startswith(f"Usage: modelyard registry {verb}")

"""`modelyard registry card`, `push`, `pull` and `import` as a person types them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from modelyard.cli import documents
from registry.test_sharing import contents
from typed import Run


@pytest.fixture
def saved(home: Path, run: Run) -> Path:
    """The home of a registry with a version, and of one without."""
    safetensors.numpy.save_file({"w": np.arange(2000, dtype=np.float32)}, home / "w.safetensors")
    assert run("registry", "init").code == 0
    assert run("registry", "init", "there").code == 0
    assert run("registry", "save", "w.safetensors", "net", "--metric", "f1=0.93", "--license", "MIT").code == 0
    return home


def test_a_card_is_printed_and_written(run: Run, saved: Path) -> None:
    text = run("registry", "card", "net").out
    assert text.startswith("---\nlicense: mit\n")
    assert not (saved / "models/net/v1.0.0/README.md").exists()
    answer = run("registry", "card", "net", "--write", "--json")
    found = msgspec.json.decode(answer.out, type=documents.Card)
    assert (found.path, found.text) == (f"{saved}/models/net/v1.0.0/README.md", text)
    assert (saved / "models/net/v1.0.0/README.md").read_text() == text
    assert run("registry", "verify", "net").code == 0


def test_pushed_and_pulled(run: Run, saved: Path) -> None:
    answer = run("registry", "push", "net", "out")
    assert (answer.code, answer.out) == (0, f"{saved}/out/net/v1.0.0\n")
    assert answer.err == "net@1.0.0: 4 files verified: read back\n" or "read back" in answer.err
    answer = run("registry", "pull", "out", "net", "--registry", "there")
    assert (answer.code, answer.out, answer.err) == (0, "net@1.0.0\n", f"{saved}/there/net/v1.0.0\n")
    assert contents(saved / "there/net/v1.0.0") == contents(saved / "models/net/v1.0.0")
    found = msgspec.json.decode(run("registry", "push", "net", "memory://typed", "--json").out)
    assert msgspec.convert(found, documents.PushedVersion).address == "memory:///typed/net/v1.0.0"
    answer = run("registry", "pull", "memory://typed/net/v1.0.0", "--registry", "there", "--json")
    assert msgspec.json.decode(answer.out, type=documents.SavedVersion).id == "net@1.0.0"


def test_errors_say_what_to_type(run: Run, saved: Path) -> None:
    run("registry", "save", "w.safetensors", "net", "--registry", "there", "--tag", "other")
    run("registry", "push", "net", "out")
    answer = run("registry", "push", "net", "out", "--registry", "there")
    assert (answer.code, "holds another net@1.0.0" in answer.err) == (4, True)
    for words in (("pull", "out"), ("pull", "nosuch://a"), ("push", "net", "hf:x"), ("import", "nothing")):
        answer = run("registry", *words)
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 2), words


def test_a_folder_is_imported(run: Run, saved: Path) -> None:
    (saved / "old").mkdir()
    (saved / "w.safetensors").rename(saved / "old" / "resnet.safetensors")
    (saved / "old" / "evil.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    answer = run("registry", "import", "old", "--dry-run")
    assert (answer.code, answer.out.splitlines()[-1].startswith("1 of 2 models would be taken")) == (0, True)
    assert [line.split("\t")[0] for line in answer.out.splitlines()[1:3]] == ["", "resnet"]
    assert not (saved / "models" / "resnet").exists()
    answer = run("registry", "import", "old", "--json")
    found = msgspec.json.decode(answer.out, type=documents.AdoptedModels)
    assert [(each.id, bool(each.why)) for each in found.items] == [(None, True), ("resnet@1.0.0", False)]
    assert run("registry", "ls").out.splitlines()[-1].startswith("resnet@1.0.0")

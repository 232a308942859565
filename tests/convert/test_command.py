"""`modelyard convert` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch

from convert.checks import holds
from modelyard.apply.disk import Disk
from modelyard.apply.lock import locked
from modelyard.cli import documents
from typed import Run

STATE = {"w": torch.arange(6, dtype=torch.float32).view(2, 3), "tied": torch.zeros(1)}
STATE["other"] = STATE["tied"]
KEPT = {name: each for name, each in STATE.items() if name != "other"}


@pytest.fixture
def source(home: Path) -> Path:
    """A checkpoint of training."""
    torch.save({"state_dict": STATE, "epoch": 3, "optimizer_states": [{"lr": 0.1}]}, home / "last.ckpt")
    return home / "last.ckpt"


def test_the_screen(run: Run, source: Path, home: Path) -> None:
    answer = run("convert", source.name)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:2] == [str(home / "last.safetensors"), "proven: 3 tensors, 28 B, equal byte for byte"]
    assert lines[4:] == [
        "tied, written once: other = tied",
        "note: the names are those within `state_dict`, the only part with weights",
        "left out: 1",
        "  optimizer_states: state of training",
    ]
    sums = subprocess.run(["sha256sum", "last.ckpt", "last.safetensors"], capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in lines[2:4]] == [line.split()[0] for line in sums.stdout.splitlines()]
    holds(home / "last.safetensors", KEPT)


def test_json_is_one_document_of_its_type(run: Run, source: Path) -> None:
    answer = run("convert", source.name, "--json", "--max-shard-size", "20")
    found = msgspec.json.decode(answer.out, type=documents.Converted, strict=True)
    assert (found.schema_version, found.tensors, found.compared, found.replaced) == (1, 3, 28, None)
    assert [each.tensors for each in found.written] == [1, 1]
    assert found.index.endswith("last.safetensors.index.json")
    assert found.tied == {"other": "tied"}
    assert found.metadata == {"format": "pt", "epoch": "3", "other": "tied"}
    assert found.left_out == [documents.LeftOutLine("optimizer_states", "state of training")]


def test_into_a_folder_and_under_a_name(run: Run, source: Path, home: Path) -> None:
    (home / "to").mkdir()
    assert run("convert", source.name, "to").code == 0
    assert run("convert", source.name, "to/other").code == 0
    assert sorted(path.name for path in (home / "to").iterdir()) == ["last.safetensors", "other.safetensors"]
    assert run("convert", source.name, "nowhere/x").code == 1


def test_refusals_and_usage(run: Run, source: Path) -> None:
    run("convert", source.name)
    answer = run("convert", source.name)
    assert (answer.code, answer.out) == (4, "")
    assert "is there already\n  remove it" in answer.err
    assert run("convert", source.name, "x", "--max-shard-size", "many").code == 2
    assert run("convert", source.name, "x", "--max-shard-size", "0").code == 2
    assert run("convert", source.name, "x", "--to", "pickle").code == 2
    assert run("convert").code == 2
    assert run("convert", "nothing").code == 1


def test_the_original_goes_into_the_trash_and_comes_back(run: Run, source: Path, home: Path) -> None:
    before = source.read_bytes()
    answer = run("convert", source.name, "--replace", "--json")
    assert answer.code == 0
    plan = json.loads(answer.out)["replaced"]
    assert not source.exists()
    holds(home / "last.safetensors", KEPT)
    (journal,) = json.loads(run("journal", "--json").out)["journals"]
    assert (journal["id"], journal["steps"], journal["in_trash"]) == (plan, 1, 1)
    assert run("undo", plan).code == 0
    assert source.read_bytes() == before


def test_the_original_stays_when_the_proof_fails(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Disk.put

    def damaged(self: Disk, descriptor: int, data: bytes | memoryview, at: int) -> None:
        real(self, descriptor, bytes(data).replace(b'"w"', b'"x"'), at)

    monkeypatch.setattr(Disk, "put", damaged)
    answer = run("convert", source.name, "--replace")
    assert (answer.code, "copied wrongly" in answer.err) == (1, True)
    assert source.exists()
    assert not source.with_suffix(".safetensors").exists()
    assert json.loads(run("journal", "--json").out)["journals"] == []


def test_an_original_that_somebody_has_open_stays(run: Run, source: Path) -> None:
    code = "import sys; f = open(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(source)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        answer = run("convert", source.name, "--replace")
        process.kill()
    assert answer.code == 3
    assert f"(process {process.pid}) has a file of it open" in answer.out or "open" in answer.out
    assert source.exists()


def test_an_original_that_changed_after_the_proof_stays(
    run: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.api import converting

    real = converting.replace

    def later(*arguments: object) -> object:
        source.write_bytes(source.read_bytes())
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(converting, "replace", later)
    answer = run("convert", source.name, "--replace")
    assert answer.code == 3
    assert "the original stays" in answer.out
    assert source.exists()


def test_links_are_read_and_never_replaced(run: Run, source: Path, home: Path) -> None:
    (home / "link.bin").symlink_to("last.ckpt")
    answer = run("convert", "link.bin", "--replace")
    assert (answer.code, answer.out) == (4, "")
    assert run("convert", "link.bin").code == 0
    holds(home / "link.safetensors", KEPT)


def test_the_lock_of_another_is_heard_of_before_the_work(run: Run, source: Path, home: Path) -> None:
    run("purge", "--yes")
    (home / ".local/state/modelyard").mkdir(parents=True, exist_ok=True)
    with locked(bytes(home / ".local/state/modelyard")):
        answer = run("convert", source.name, "--replace")
    assert answer.code == 75
    assert not (home / "last.safetensors").exists()


def test_names_of_strangers_do_not_reach_the_terminal(run: Run, home: Path) -> None:
    torch.save({"\x1b[2J": torch.ones(2), "evil": {"\u202ex": object}, "w": torch.ones(1)}, home / "m.pt")
    answer = run("convert", "m.pt")
    assert answer.code == 0
    assert not set(answer.out + answer.err) & {"\x1b", "\u202e"}


def test_rounding_is_asked_for_twice(run: Run, source: Path, home: Path) -> None:
    answer = run("convert", source.name, "--dtype", "bf16")
    assert (answer.code, answer.out) == (4, "")
    assert answer.err == "modelyard: rounding to bf16 loses bits for good\n  --allow-lossy lets it\n"
    assert run("convert", source.name, "--allow-lossy").code == 2
    assert run("convert", source.name, "--dtype", "int8", "--allow-lossy").code == 2
    torch.save({"w": torch.tensor([1.0001, 1e6]), "n": torch.ones(2, dtype=torch.int64)}, home / "m.pt")
    answer = run("convert", "m.pt", "--dtype", "fp16", "--allow-lossy", "--replace")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[1] == "proven: 2 numbers, the largest difference is 0.0001"
    assert lines[3] == "  too large for it, so that they became infinite: 1"
    assert "note: 1 tensors are no floats of another width than F16: they are as they were" in lines
    assert not (home / "m.pt").exists()
    journal = json.loads(run("journal", "--json").out)["journals"][0]["id"]
    assert run("undo", journal).code == 0
    found = msgspec.json.decode(
        run("convert", "m.pt", "other", "--dtype", "bf16", "--allow-lossy", "--json").out, type=documents.Converted
    )
    assert found.agreement is not None
    assert (found.agreement.compared, found.agreement.overflowed) == (2, 0)


def test_to_torch_and_a_set_of_files(run: Run, source: Path, home: Path) -> None:
    assert run("convert", source.name, "--max-shard-size", "20").code == 0
    found = msgspec.json.decode(
        run("convert", "last.safetensors.index.json", "--to", "torch", "--json").out, type=documents.Converted
    )
    assert [Path(each.path).name for each in found.written] == ["last.pt"]
    assert [each.tensors for each in found.others] == [1, 1]
    assert found.tied == {"other": "tied"}
    loaded = torch.load(home / "last.pt", weights_only=True)
    assert all(torch.equal(loaded[name], each) for name, each in STATE.items())
    answer = run("convert", "last.safetensors.index.json", "x", "--to", "torch", "--replace")
    assert (answer.code, "several files" in answer.err) == (4, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--to", "onnx", "--part", "x"), ("--to", "skops", "--dtype", "bf16"), ("--to", "skops", "--copy-tied"),
        ("--to", "torch", "--max-shard-size", "1GB"), ("--to", "onnx", "--strip", "x"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(run: Run, source: Path, options: tuple[str, ...]) -> None:
    assert run("convert", source.name, "x", *options).code == 2


def test_refused_for_safety(run: Run, source: Path) -> None:
    answer = run("convert", source.name, "--to", "onnx")
    assert (answer.code, answer.out) == (4, "")
    assert "which convert never does" in answer.err

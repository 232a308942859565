"""What a plan says of proofs: what was remembered, what has to be fetched again, who will miss it; and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import makers
from modelyard.api.remembered import FILE, Proof, Remembered
from modelyard.apply.disk import Disk
from modelyard.cli.asking import AskingLine
from modelyard.units import lasting
from real.hub_server import Hub
from typed import Run
from walk.disks import loop_disk

WEIGHTS = os.urandom(200_000)
NOTES = Path(".local/state/modelyard") / os.fsdecode(FILE)


@pytest.fixture
def hub(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with two revisions of a model that share their weights; the cache in the home holds both."""
    with Hub(tmp_path / "chunks") as running:
        cache = home / ".cache" / "huggingface" / "hub"
        for ref, config in (("v1", b'{"v": 1}'), ("main", b'{"v": 22}')):
            files = {"config.safetensors": config, "model.safetensors": WEIGHTS}
            commit = running.push("models/acme/tiny", files, ref)
            makers.hub_repo(cache, "models--acme--tiny", files, commit, (ref,))
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def planned(run: Run, *words: str) -> dict[str, Any]:
    """The plan for the hub's cache."""
    answer = run("clean", "hf", "--prove", "--dry-run", "--json", *words)
    assert answer.code == 0, answer.err
    plan: dict[str, Any] = json.loads(answer.out)["plan"]
    return plan


def test_what_two_revisions_share_is_fetched_once(run: Run, hub: Hub) -> None:
    plan = planned(run)
    assert plan["fetch"] == len(WEIGHTS) + 8 + 9
    assert (plan["rate"], plan["fetch_seconds"]) == (100_000_000, 1)
    assert planned(run, "--rate", "0.1")["fetch_seconds"] == 17
    answer = run("clean", "hf", "--prove", "--dry-run")
    assert "To get it back: at most 195 KiB to fetch, 1 s at 100 Mbit/s\n  that rate is assumed" in answer.out
    assert "17 s at 0.1 Mbit/s\n" in run("clean", "hf", "--prove", "--dry-run", "--rate", "0.1").out


def test_what_another_revision_needs_stays_and_is_not_fetched(run: Run, hub: Hub) -> None:
    (one,) = [each for each in makers.artifacts(Path.home()).values() if "v1" in each.tags]
    answer = run("clean", one.id, "--prove", "--dry-run", "--json")
    assert json.loads(answer.out)["plan"]["fetch"] == 8


def test_who_asks_by_name_is_told_and_does_not_block(run: Run, hub: Hub, home: Path) -> None:
    for name in ("train.py", "eval.py"):
        makers.write(home / "code" / name, 'AutoModel.from_pretrained("acme/tiny")\n')
    plan = planned(run)
    assert plan["steps"]
    assert {each["who"] for each in plan["breaks"]} == {"code/train.py:1", "code/eval.py:1"}
    answer = run("clean", "hf", "--prove", "--dry-run")
    assert "Asked for by name  2" in answer.out
    assert "code/eval.py:1, code/train.py:1" in answer.out


def test_prove_alone_has_nothing_to_ask_about(run: Run, hub: Hub) -> None:
    answer = run("clean", "--prove")
    assert (answer.code, "--kind" in answer.err) == (2, True)
    assert hub.asked == []


def test_what_nobody_can_ask_about_is_said_when_it_was_named(run: Run, home: Path) -> None:
    makers.conda_env(home / "miniconda3" / "envs" / "old")
    makers.write(home / "miniconda3" / "conda-meta" / "history", "")
    plan = json.loads(run("clean", "conda:env/old", "--prove", "--dry-run", "--json").out)["plan"]
    assert [each["why"] for each in plan["skipped"]] == [
        "could not be proven: nothing here knows where it would come back from"
    ]


def test_no_more_is_asked_about_than_the_wish_reaches(run: Run, hub: Hub) -> None:
    planned(run, "--keep", "acme")
    planned(run, "--kind", "dataset")
    planned(run, "--unused-for", "1y")
    assert hub.asked == []


def test_named_with_include_it_goes_though_it_could_not_be_proven(run: Run, hub: Hub) -> None:
    hub.repositories.clear()
    (one,) = [each for each in makers.artifacts(Path.home()).values() if "v1" in each.tags]
    plan = planned(run, "--include", one.id)
    assert plan["worst_proof"] == "unproven"
    proofs = {each["proof"] for each in plan["steps"] if each["artifact"] == one.id}
    assert all(each.startswith("unproven: could not be proven: the Hub shows no such repository") for each in proofs)
    why = [each["why"] for each in plan["skipped"] if each["artifact"] == one.id]
    assert why == ["a part of it stays: something else needs it"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"proofs": {"a": 1}}', b"\xff" * 9, b'{"schema_version": 2}'])
def test_notes_that_are_none_hold_no_proof(text: bytes, run: Run, hub: Hub, home: Path) -> None:
    makers.write(home / NOTES, text)
    assert planned(run)["worst_proof"] == "re-get"
    assert len(hub.asked) == 6
    planned(run)
    assert len(hub.asked) == 6


def test_a_proof_is_not_believed_when_it_is_old_or_from_the_future(tmp_path: Path) -> None:
    day = 86400 * 10**9
    folder = bytes(tmp_path)
    first = Remembered(folder, 100 * day, 7 * day)
    first.put("a", "asked")
    first.save(Disk())
    assert Remembered(folder, 107 * day, 7 * day).get("a") == Proof(100 * day, "asked")
    assert Remembered(folder, 108 * day, 7 * day).get("a") is None
    assert Remembered(folder, 99 * day, 7 * day).get("a") is None


def test_a_full_disk_does_not_keep_anybody_from_cleaning(
    run: Run, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loop_disk("ext4", tmp_path) as disk:
        (disk / "state").mkdir()
        monkeypatch.setattr("modelyard.apply.rooms._folders", lambda *_: (bytes(disk / "state"),) * 2)
        with (disk / "filling").open("wb", buffering=0) as filling, pytest.raises(OSError, match="No space"):
            while True:
                filling.write(bytes(4096))
        assert planned(run)["worst_proof"] == "re-get"
        assert os.listdir(disk / "state") == []


def test_nobody_is_asked_twice_when_the_source_is_out_of_reach(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of revisions would otherwise wait for as many timeouts."""
    asked = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("modelyard.owners.https.Web.__init__.__defaults__", (0.2, 0.5))
        for number in range(60):
            files = {"config.json": b"%d" % number}
            makers.hub_repo(home / ".cache/huggingface/hub", f"models--acme--m{number}", files, f"{number:040x}")
        started = time.monotonic()
        plan = planned(run)
        assert time.monotonic() - started < 10
        silent.setblocking(False)
        while True:
            try:
                asked.append(silent.accept()[0])
            except BlockingIOError:
                break
    assert len(plan["skipped"]) == 60
    assert 1 <= len(asked) <= 8
    for each in asked:
        each.close()


def test_ctrl_c_ends_the_asking_soon_and_changes_nothing(home: Path, hub: Hub) -> None:
    before = sorted(home.rglob("*"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        command = [sys.executable, "-m", "modelyard", "--home", str(home), "clean", "hf", "--prove", "--yes"]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()
            started = time.monotonic()
            while process.poll() is None and time.monotonic() - started < 5:  # Python may lose one in a finalizer
                process.send_signal(signal.SIGINT)
                time.sleep(1)
            _, err = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert time.monotonic() - started < 5
    assert "interrupted" in err
    assert sorted(home.rglob("*")) == before


def test_a_line_on_the_terminal_tells_how_far_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    line = AskingLine()
    line.asked(2, 1234, "hf:model/acme/tiny@abc")
    assert "proving 2 of 1,234  hf:model/acme/tiny@abc" in capfd.readouterr().err
    line.clear()
    assert capfd.readouterr().err.strip() == ""


def test_times_are_said_coarsely() -> None:
    told = [lasting(seconds) for seconds in (0, 59, 60, 61, 3540, 3600, 12_000, 200_000)]
    assert told == ["0 s", "59 s", "1 min", "2 min", "59 min", "1 h", "3 h 20 min", "2 days"]

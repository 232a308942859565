"""Caches that real clients filled, verified: whole ones raise no alarm, damage is told, and the Hub mends it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from real.conda_client import ENVIRONMENTS
from real.hub_client import Client
from real.hub_layout import chain
from real.test_hub import MODEL, ROWS, WEIGHTS, publish, tiny
from reclaiming import everything, undo
from typed import Run
from verify.looking import cut, flip, told


@pytest.fixture
def snapshot(client: Client, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A revision that a client downloaded, whose hub may be asked again."""
    publish(client, ROWS, {"data/train.parquet": os.urandom(90_000)})
    client.download(ROWS)
    commit = publish(client, MODEL, tiny())
    repo = client.download(MODEL)
    monkeypatch.setenv("HF_ENDPOINT", client.hub.url)
    return repo / "snapshots" / commit


def payload(snapshot: Path, name: str) -> Path:
    """The file that holds the bytes of a name, over one link or two."""
    return list(chain(snapshot / name))[-1]


def asked(client: Client) -> list[str]:
    """What the hub was asked for."""
    return [path for _, path, _ in client.hub.asked if "resolve" in path]


def test_a_whole_cache_raises_no_alarm_and_damage_is_told(client: Client, snapshot: Path, run: Run) -> None:
    before = len(client.hub.asked)
    assert told(run, code=0) == {}
    weights, config = payload(snapshot, "model.safetensors"), payload(snapshot, "config.json")
    flip(weights)
    cut(config)
    short = "corrupt" if client.old else "truncated"  # it keeps no note of the sizes
    assert told(run, code=5) == {weights.name: "corrupt", config.name: short}
    weights.unlink()
    assert told(run, "hf", code=5) == {weights.name: "missing", config.name: short}
    assert len(client.hub.asked) == before, "verifying asks nobody"


def test_repair_gets_the_bytes_again_and_undo_brings_the_bad_ones_back(
    client: Client, snapshot: Path, home: Path, run: Run
) -> None:
    weights, words = payload(snapshot, "model.safetensors"), payload(snapshot, "vocab/words.txt")
    mode = weights.stat().st_mode
    flip(weights)
    words.unlink()
    bad = everything(home)
    assert run("verify", "--repair").code == 4, "nobody can be asked"
    assert run("verify", "--repair", "--dry-run").code == 5
    assert everything(home) == bad
    answer = run("verify", "--repair", "--yes", "--json")
    document = json.loads(answer.out)
    assert answer.code == 0, (answer.out, answer.err)
    assert {(each["how"], Path(each["path"]).name) for each in document["repairs"]} == {
        ("fetch", weights.name),
        ("fetch", words.name),
    }
    assert (weights.read_bytes(), words.read_bytes()) == (WEIGHTS, b"a b c" * 99)
    assert weights.stat().st_mode == mode
    assert told(run, code=0) == {}
    client.offline.call("snapshot", MODEL, "main")
    undo(run)
    assert told(run, code=5) == {weights.name: "corrupt", words.name: "missing"}


def test_what_the_hub_sends_otherwise_never_gets_the_name(client: Client, snapshot: Path, home: Path, run: Run) -> None:
    weights = payload(snapshot, "model.safetensors")
    flip(weights)
    bad = everything(home)
    wrong = bytes(len(WEIGHTS))
    for status, body, why in (
        (200, wrong, "digest differs"),
        (200, wrong + b"x", "digest differs" if client.old else "more than"),
        (403, b"", "answers 403"),
    ):
        client.hub.instead = {r"GET /acme/tiny/resolve/.*": (status, {"Content-Length": str(len(body))}, body)}
        answer = run("verify", "--repair", "--yes")
        assert answer.code == 3
        assert why in " ".join(answer.out.split()), answer.out
        assert everything(home) == bad
    client.hub.instead = {}
    assert run("verify", "--repair", "--yes").code == 0


def test_a_good_file_that_a_killed_repair_left_is_used(client: Client, snapshot: Path, run: Run) -> None:
    config = payload(snapshot, "config.json")
    good = config.read_bytes()
    (config.parent / f".modelyard-fetched-{next(chain(snapshot / 'config.json')).name}").write_bytes(good)
    config.write_bytes(b"[]")
    before = len(asked(client))
    assert run("verify", "--repair", "--yes").code == 0
    assert config.read_bytes() == good
    assert len(asked(client)) == before


def test_environments_and_packages_of_conda_raise_no_alarm_and_damage_is_told(base: Path, run: Run) -> None:
    assert told(run, code=0) == {}
    name = next(iter(ENVIRONMENTS))
    files = [path for path in (base / "envs" / name).rglob("*") if path.is_file() and not path.is_symlink()]
    victim = max((path for path in files if "conda-meta" not in path.parts), key=lambda path: path.stat().st_size)
    shared = victim.stat().st_nlink
    flip(victim)
    found = told(run, code=5)
    assert found == {victim.name: "corrupt"}
    states = run("verify", "conda", "--all").out
    assert states.count("corrupt\t") == shared + (shared == 1) or "corrupt" in states
    archive = next((base / "pkgs").glob("*.conda"))
    cut(archive)
    assert told(run, "conda", code=5)[archive.name] == "truncated"
    answer = json.loads(run("verify", "conda", "--repair", "--yes", "--json").out)
    ways = {Path(each["path"]).name: each["how"] for each in answer["repairs"]}
    assert ways[archive.name] == "remake"
    assert not archive.exists()

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


def test_damage_is_told_mended_by_the_hub_and_undone(client: Client, snapshot: Path, home: Path, run: Run) -> None:
    before = len(client.hub.asked)
    assert told(run, code=0) == {}
    weights, words, config = (
        payload(snapshot, name) for name in ("model.safetensors", "vocab/words.txt", "config.json")
    )
    mode, good = weights.stat().st_mode, config.read_bytes()
    flip(weights)
    cut(config)
    words.unlink()
    short = "corrupt" if client.old else "truncated"  # it keeps no note of the sizes
    found = {weights.name: "corrupt", config.name: short, words.name: "missing"}
    assert told(run, code=5) == found
    bad = everything(home)
    assert run("verify", "--repair").code == 4, "nobody can be asked"
    assert run("verify", "--repair", "--dry-run").code == 5
    assert len(client.hub.asked) == before, "verifying asks nobody"
    assert everything(home) == bad
    _sends_something_else(client, home, run)
    assert everything(home) == bad
    (config.parent / f".modelyard-fetched-{next(chain(snapshot / 'config.json')).name}").write_bytes(
        good
    )  # after a kill
    answer = run("verify", "--repair", "--yes", "--json")
    assert answer.code == 0, (answer.out, answer.err)
    assert {(each["how"], Path(each["path"]).name) for each in json.loads(answer.out)["repairs"]} == {
        ("fetch", name) for name in found
    }
    assert (weights.read_bytes(), words.read_bytes(), config.read_bytes()) == (WEIGHTS, b"a b c" * 99, good)
    assert weights.stat().st_mode == mode
    assert told(run, code=0) == {}
    client.offline.call("snapshot", MODEL, "main")
    undo(run)
    assert told(run, code=5) == found


def _sends_something_else(client: Client, home: Path, run: Run) -> None:
    """What is not the file never gets its name, and a refusal names what may help."""
    before = everything(home)
    for status, body, why in ((200, bytes(len(WEIGHTS)), "digest differs"), (403, b"", "hf download acme/tiny")):
        client.hub.instead = {r"(GET|HEAD) /acme/tiny/resolve/.*": (status, {}, body)}
        answer = run("verify", "--repair", "--yes")
        assert answer.code == 3
        assert why in " ".join(answer.out.split()), answer.out
        assert everything(home) == before
    client.hub.instead = {}


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

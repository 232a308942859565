"""Hugging Face datasets: prepared data, what was made of it, and halves of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web
from real.hub_server import Hub
from reclaiming import age, chosen, clean, everything, left_out, undo
from typed import Run

pytestmark = runs("with_datasets", "datasets")
CACHE = Path(".cache/huggingface/datasets")
ROWS = "a,b\n" + "".join(f"{number},x\n" for number in range(50))
CARD = b"---\nconfigs:\n- config_name: default\n  data_files: data/train.csv\n---\n"


@pytest.fixture(scope="module")
def filled(client: Client, web: Web, hub: Hub) -> Client:
    """Tables of a file, of an address and of a hub, results of map, what a person saved, and two killed processes."""
    told = client.told(HF_ENDPOINT=hub.url)
    rows = client.home / "rows.csv"
    rows.write_text(ROWS)
    web.files["/far.csv"] = ROWS.encode()
    web.files["/big.csv"] = b"a,b\n" + b"1,x\n" * 3_000_000
    web.stalled.add("/big.csv")
    commit = hub.push("datasets/acme/rows", {"data/train.csv": ROWS.encode(), "README.md": CARD})
    given = told.calls(
        ("mapped", rows), ("csv", f"{web.url}/far.csv"), ("repository", "acme/rows", commit), ("generated", 7)
    )
    assert given == [44, 50, 50, 7]
    told.call("saved", rows, client.home / "mine")
    told.kill((client.home / "ready").exists, "hanging", client.home / "ready")
    told.kill(holds(client.home / CACHE / "downloads"), "csv", f"{web.url}/big.csv")
    return told


def test_everything_prepared_and_every_half_is_found(filled: Client) -> None:
    seen = look(filled.home, "hf-datasets", "hf")
    found = {(name.split("/")[0], each.title.split("/")[0], each.state) for name, each in seen.artifacts.items()}
    assert found == {
        ("csv", "csv", "complete"),
        ("csv", "csv", "partial"),
        ("acme", "acme", "complete"),
        ("generator", "generator", "complete"),
        ("generator", "generator", "partial"),
        ("downloads", "downloads", "complete"),
        ("mine", "mine", "complete"),
        ("#partial", "unfinished downloads", "partial"),
    }
    assert len(seen.artifacts) == 9  # two tables are whole
    assert {each.kind for each in seen.artifacts.values()} == {"dataset"}
    assert seen.artifacts["#partial"].sizes.freed > 1_000_000
    assert not seen.unclaimed
    (snapshot,) = filled.home.glob(".cache/huggingface/hub/datasets--acme--rows/snapshots/*")
    raw = [each.id for each in seen.survey.artifacts if each.store == "hf"]
    assert raw == [f"hf:dataset/acme/rows@{snapshot.name[:12]}"]


def test_how_each_comes_back(filled: Client) -> None:
    found = look(filled.home, "hf-datasets", "hf").artifacts
    recoveries = {name.split("/")[0]: each.recovery for name, each in found.items()}
    assert recoveries == {
        "csv": "re-make",
        "acme": "re-make",
        "generator": "re-make",
        "downloads": "re-get",
        "mine": "none",
        "#partial": "re-get",
    }


def test_results_of_map_and_filter_are_counted(filled: Client) -> None:
    found = look(filled.home, "hf-datasets", "hf").artifacts
    details = {each.detail for name, each in found.items() if name.startswith("csv/")}
    assert details == {"2 results of map and filter", ""}


def test_a_half_that_was_killed_holds_the_bytes_that_were_written(filled: Client) -> None:
    found = look(filled.home, "hf-datasets", "hf").artifacts
    (half,) = (each for name, each in found.items() if name.startswith("generator/") and each.state == "partial")
    assert half.sizes.apparent > 1_000_000


def test_after_a_look_the_tables_load_without_a_server(filled: Client, web: Web) -> None:
    look(filled.home, "hf-datasets", "hf")
    before = len(web.asked)
    offline = filled.told(HF_HUB_OFFLINE=1)
    assert offline.calls(("mapped", filled.home / "rows.csv"), ("repository", "acme/rows")) == [44, 50]
    assert len(web.asked) == before


def test_variables_move_the_cache(fresh: Client, filled: Client) -> None:
    rows = filled.home / "rows.csv"
    fresh.told(HF_DATASETS_CACHE=fresh.home / "tables").call("csv", rows)
    fresh.told(HF_HOME=fresh.home / "hf").call("csv", rows)
    seen = look(fresh.home, "hf-datasets", HF_DATASETS_CACHE=fresh.home / "tables")
    assert seen.roots[str(fresh.home / "tables")] == "HF_DATASETS_CACHE"
    seen = look(fresh.home, "hf-datasets", HF_HOME=fresh.home / "hf")
    assert seen.roots == {
        str(fresh.home / "hf" / "datasets"): "HF_HOME",
        str(fresh.home / "tables"): "recognised by dataset_info.json",
    }


def test_after_a_clean_tables_load_and_what_went_is_prepared_again(fresh: Client, run: Run) -> None:
    rows, cache = fresh.home / "rows.csv", fresh.home / CACHE
    rows.write_text(ROWS)
    assert fresh.calls(("mapped", rows), ("generated", 7)) == [44, 7]
    fresh.kill((fresh.home / "ready").exists, "hanging", fresh.home / "ready")
    seen = look(fresh.home, "hf-datasets")
    half = {f"hf-datasets:{name}" for name, each in seen.artifacts.items() if each.state == "partial"}
    table = next(f"hf-datasets:{name}" for name in seen.artifacts if name.startswith("csv"))
    age(cache)
    before = everything(cache)
    clean(run, "hf-datasets", include=(table, *half))
    assert fresh.told(HF_HUB_OFFLINE=1).call("generated", 7) == 7
    undo(run)
    assert everything(cache) == before
    assert fresh.calls(("mapped", rows), ("generated", 7)) == [44, 7]
    clean(run, "hf-datasets", include=(table, *half))
    assert fresh.calls(("mapped", rows), ("generated", 7)) == [44, 7]
    assert {state for _, state, _ in look(fresh.home, "hf-datasets", "trash").states.values()} == {"complete"}


def test_what_a_process_is_preparing_is_left_alone(fresh: Client, run: Run) -> None:
    ready = fresh.home / "ready"
    with fresh.running("hanging", ready) as process:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.05)
        age(fresh.home / CACHE)
        names = [f"hf-datasets:{each}" for each in look(fresh.home, "hf-datasets").artifacts]
        assert names
        words = [word for each in names for word in ("--include", each)]
        assert chosen(run, "hf-datasets", *words) == set()
        assert {f"(process {process.pid})" in why for why in left_out(run, "hf-datasets", *words).values()} == {True}

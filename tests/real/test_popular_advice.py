"""Commands that people copy from each other: what they lose, shown on a copy, and modelyard loses nothing of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

import makers
from real.hub_client import Client
from real.hub_layout import files_of
from real.surveys import by_id, survey
from reclaiming import OLD, age, chosen, clean, everything, undo
from typed import Run

WEIGHTS = {"model.safetensors": os.urandom(600_000)}
TINY, COPY = "models/acme/tiny", "models/globex/copy"


def copied(place: Path) -> Path:
    """A copy with all times and links, to lose things in."""
    copy = place.with_name(f"{place.name}-copy")
    subprocess.run(["cp", "-a", place, copy], check=True)
    return copy


def shell(command: str, place: Path) -> str:
    """A command as it is copied, at a place; what it printed."""
    done = subprocess.run(["sh", "-c", command], cwd=place, capture_output=True, text=True, check=False)
    return done.stdout


def get(client: Client, address: str, files: dict[str, bytes]) -> Path:
    """A new commit, downloaded: its snapshot."""
    commit = client.hub.push(address, files)
    return client.download(address) / "snapshots" / commit


def read_today(cache: Path) -> None:
    """Everything is old and its folders were entered long ago; then the model was loaded, which enters no folder."""
    files = [path for path in cache.rglob("*") if path.is_file() and not path.is_symlink()]
    age(cache)
    for path in files:
        os.utime(path, (time.time(), OLD))


def test_the_access_time_of_a_folder_says_nothing_of_its_model(client: Client, run: Run, home: Path) -> None:
    snapshot = get(client, TINY, WEIGHTS | {"config.json": b"{}"})
    copy = copied(client.cache)
    read_today(copy)
    shell(r"find . -maxdepth 1 -type d -name 'models--*' -atime +30 -exec rm -rf {} \;", copy)
    assert not list(copy.glob("models--*"))
    shutil.rmtree(copy)
    read_today(client.cache)
    assert chosen(run, "hf", "--unused-for", "30d") == set()
    used = by_id(survey(home), "hf")[f"hf:model/acme/tiny@{snapshot.name[:12]}"].last_used
    assert used and time.time() - used.at / 1e9 < 3600


def test_or_binds_weaker_than_and(run: Run, home: Path) -> None:
    """`find -atime +30 -name A -o -name B` finds every B, made just now or not."""
    makers.layouts()["hf-local"](home)
    (fresh,) = list(home.rglob("*.safetensors"))[:1]
    copy = copied(home)
    shell("find . -type f -atime +30 -name '*.bin' -o -name '*.safetensors' | xargs rm -f", copy)
    assert not (copy / fresh.relative_to(home)).exists()
    shutil.rmtree(copy)
    assert chosen(run, "--unused-for", "30d") == set()
    assert fresh.exists()


def test_no_revision_is_called_unused(client: Client, run: Run, home: Path) -> None:
    """`delete_revisions('unused')` frees nothing and says so in a warning that nobody reads."""
    old = get(client, TINY, {"model.safetensors": os.urandom(400_000)})
    new = get(client, TINY, WEIGHTS)
    age(home)
    before = everything(client.cache)
    client.delete("unused")
    assert everything(client.cache) == before
    clean(run, "hf")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_client_that_does_not_know_the_shared_store_takes_the_weights_of_others(
    shared: Client, old_hub: Path, run: Run, home: Path
) -> None:
    """It follows both links and deletes what two repositories share."""
    shared.keep_in_xet(WEIGHTS)
    old = get(shared, TINY, WEIGHTS | {"config.json": b"1"})
    new = get(shared, TINY, {"model.safetensors": os.urandom(1000), "config.json": b"2"})
    other = get(shared, COPY, WEIGHTS)
    age(home)
    elsewhere = replace(shared, folder=copied(shared.folder), old=True)
    elsewhere.delete(old.name)
    lost = elsewhere.cache / other.relative_to(shared.cache) / "model.safetensors"
    assert (lost.is_symlink(), lost.exists()) == (True, False)
    shutil.rmtree(elsewhere.folder)
    clean(run, "hf")
    assert (old.exists(), new.exists()) == (False, True)
    assert (other / "model.safetensors").read_bytes() == WEIGHTS["model.safetensors"]
    assert shared.scan().warnings == []


def test_a_repository_removed_by_hand_frees_nothing_where_its_weights_are_shared(
    shared: Client, run: Run, home: Path
) -> None:
    shared.keep_in_xet(WEIGHTS)
    for address in (TINY, COPY):
        get(shared, address, WEIGHTS)
    age(home)
    copy = copied(shared.cache)
    shell("rm -rf models--*", copy)
    assert sum(path.stat().st_size for path in copy.rglob("*") if path.is_file()) >= 600_000
    shutil.rmtree(copy)
    clean(run, "hf", include=tuple(by_id(survey(home), "hf")))
    assert sum(path.stat().st_size for path in shared.cache.rglob("*") if path.is_file()) < 10_000


def test_prune_takes_the_only_weights_when_a_configuration_moved_the_branch(
    shared: Client, run: Run, home: Path
) -> None:
    old = get(shared, TINY, WEIGHTS | {"config.json": b"{}"})
    shared.hub.push(TINY, {"model.safetensors": os.urandom(1000), "config.json": b"{ }"})
    shared.download(TINY, "main", "config.json")
    age(home)
    elsewhere = replace(shared, folder=copied(shared.folder))
    elsewhere.cli("prune", "--yes")
    assert not (elsewhere.cache / old.relative_to(shared.cache)).exists()
    shutil.rmtree(elsewhere.folder)
    assert run("clean", "hf", "--yes").code == 0
    assert {path.name for path in files_of(old)} == {"model.safetensors", "config.json"}
    assert (old / "model.safetensors").read_bytes() == WEIGHTS["model.safetensors"]


def test_removing_everything_below_the_cache_logs_out(client: Client, run: Run, home: Path) -> None:
    """`rm -rf ~/.cache/huggingface/*` takes the token, too."""
    get(client, TINY, WEIGHTS)
    for name in ("token", "stored_tokens"):
        makers.write(client.folder / name, "secret")
    age(home)
    copy = copied(client.folder)
    shell("rm -rf ./*", copy)
    assert not (copy / "token").exists()
    shutil.rmtree(copy)
    clean(run, "hf", include=tuple(by_id(survey(home), "hf")))
    assert {(client.folder / name).read_text() for name in ("token", "stored_tokens")} == {"secret"}


@pytest.mark.parametrize(
    "command",
    [
        "find manifests -type f -name '*8b*' -delete; find blobs -type f -mtime +30 -delete",
        "rm -f blobs/sha256-*",
    ],
)
def test_ollama_s_blobs_by_age_are_those_of_models_in_use(command: str, run: Run, home: Path) -> None:
    """A derived model uses the layers of its base, which are the oldest files there."""
    makers.layouts()["ollama"](home)
    age(home)
    models = home / ".ollama" / "models"
    copy = copied(models)
    assert shell("ls blobs/sha256:*", copy) == ""  # the name that is often told is not theirs
    shell(command, copy)
    assert not list((copy / "blobs").iterdir())
    shutil.rmtree(copy)
    before = everything(home)
    clean(run, "ollama", include=("ollama:llama3:8b",))
    found = by_id(survey(home), "ollama")
    assert {name: each.state for name, each in found.items()} == {
        "ollama:acme/pirate:v1": "complete",
        "ollama:#orphan": "orphan",  # it may be what somebody made a model from
    }
    undo(run)
    assert everything(home) == before


def test_a_half_download_of_torch_is_not_called_tmp(run: Run, home: Path) -> None:
    makers.layouts()["torchhub"](home)
    age(home)
    hub = home / ".cache/torch/hub"
    assert shell("find . -name '*.tmp'", hub) == ""
    halves = list(hub.rglob("*.partial"))
    assert halves
    clean(run, "torchhub")
    assert not any(path.exists() for path in halves)

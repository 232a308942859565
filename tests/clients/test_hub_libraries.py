"""Libraries that load from the Hugging Face hub: transformers, diffusers, sentence-transformers, timm."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.archives import files_below
from clients.client import DEPS, Client, Package
from clients.looking import look
from real.hub_server import Hub
from reclaiming import age, chosen, clean, everything, undo
from typed import Run

LIBRARIES = {
    "transformers": Package("with_hub", "transformers"),
    "diffusers": Package("with_hub", "diffusers"),
    "sentences": Package("with_hub", "sentence-transformers"),
    "timm": Package("with_hub", "timm", DEPS / "vision"),
}
CALLED = {"transformers": "BertModel", "diffusers": "DDPMPipeline", "sentences": 16, "timm": "ResNet"}
pytestmark = pytest.mark.parametrize("client", LIBRARIES.values(), ids=str, indirect=True, scope="module")


def verb(client: Client) -> str:
    """What the program calls the library."""
    return next(name for name, package in LIBRARIES.items() if package == client.package)


@pytest.fixture(scope="module")
def filled(client: Client, hub: Hub) -> Client:
    """A tiny random model that the library made, on the hub and loaded from there."""
    name = verb(client)
    made = client.temporary / "made"
    told = client.told(HF_ENDPOINT=hub.url, HF_HUB_DISABLE_TELEMETRY=1)
    client.call(f"make_{name}", made)
    hub.push(f"models/acme/{name}", files_below(made))
    assert told.call(f"load_{name}", f"acme/{name}") == CALLED[name]
    return told


def test_what_the_library_loaded_is_one_revision_with_all_its_files(filled: Client) -> None:
    seen = look(filled.home, "hf")
    ((name, revision),) = seen.artifacts.items()
    assert name.startswith(f"model/acme/{verb(filled)}@")
    assert (revision.kind, revision.state, revision.recovery, revision.tags) == (
        "model",
        "complete",
        "re-get",
        ("main",),
    )
    snapshot = next((filled.home / ".cache/huggingface/hub").glob("models--*/snapshots/*"))
    assert {path.resolve() for path in snapshot.rglob("*") if path.is_file()} <= seen.files(name)
    assert {Path(each).parts[0] for each in seen.unclaimed} <= {".locks", "CACHEDIR.TAG"}


def test_after_a_look_the_model_loads_offline(filled: Client) -> None:
    look(filled.home, "hf")
    name = verb(filled)
    assert (
        filled.told(HF_HUB_OFFLINE=1, HF_ENDPOINT="http://127.0.0.1:9").call(f"load_{name}", f"acme/{name}")
        == CALLED[name]
    )


def test_after_a_clean_the_model_loads_offline_and_comes_again_when_it_went(
    fresh: Client, hub: Hub, run: Run, filled: Client
) -> None:
    """The branch moved on since; both the model of today and after an undo the one of then are whole."""
    name, told = verb(fresh), fresh.told(HF_ENDPOINT=hub.url, HF_HUB_DISABLE_TELEMETRY=1)
    offline = fresh.told(HF_HUB_OFFLINE=1, HF_ENDPOINT="http://127.0.0.1:9")
    assert told.call(f"load_{name}", f"acme/{name}") == CALLED[name]
    repository = hub.repositories[f"models/acme/{name}"]
    old = repository.refs["main"]
    hub.push(f"models/acme/{name}", repository.commits[old] | {"README.md": b"what changed"})
    assert told.call(f"load_{name}", f"acme/{name}") == CALLED[name]
    cache = fresh.home / ".cache/huggingface/hub"
    age(cache)
    before = everything(cache)
    assert chosen(run, "hf") == {f"hf:model/acme/{name}@{old[:12]}"}
    clean(run, "hf")
    assert offline.call(f"load_{name}", f"acme/{name}") == CALLED[name]
    undo(run)
    assert {path: thing for path, thing in everything(cache).items() if path in before} == before
    clean(run, "hf", include=tuple(f"hf:{each}" for each in look(fresh.home, "hf", "trash").artifacts))
    assert not list(cache.glob("models--*"))
    assert told.call(f"load_{name}", f"acme/{name}") == CALLED[name]

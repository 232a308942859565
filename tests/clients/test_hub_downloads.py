"""`hf download --local-dir`, and a folder of sentence-transformers that is a hub of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clients.archives import files_below
from clients.client import Client, runs
from clients.looking import look
from real.hub_server import Hub

pytestmark = runs("with_hub", "huggingface_hub")
HF = Path(sys.executable).with_name("hf")
FILES = {"config.json": b"{}", "onnx/model.safetensors": os.urandom(90_000)}


def test_a_folder_of_plain_files_is_found_with_its_notes_and_nothing_is_wrong(fresh: Client, hub: Hub) -> None:
    told = fresh.told(HF_ENDPOINT=hub.url)
    commit = hub.push("models/acme/tiny", FILES)
    told.shell(HF, "download", "acme/tiny", "--local-dir", fresh.home / "work" / "tiny")
    (fresh.home / "work" / "tiny" / "mine.txt").write_text("a file of one's own")
    seen = look(fresh.home, "hf-local", "hf")
    assert seen.states == {"work/tiny": ("model", "complete", "re-get")}
    assert seen.artifacts["work/tiny"].revision == commit
    place = fresh.home / "work" / "tiny"
    assert seen.files("work/tiny") == {place / name for name in (*FILES, ".cache/huggingface")}


def test_a_download_that_was_killed_is_partial(fresh: Client, hub: Hub) -> None:
    told = fresh.told(HF_ENDPOINT=hub.url, HF_HUB_DISABLE_XET=1)
    place = fresh.home / "work" / "huge"
    hub.push("models/acme/huge", {"config.json": b"{}", "huge.safetensors": os.urandom(60_000_000)})
    hub.stalled.add("huge.safetensors")
    halves = lambda: any(path.stat().st_size > 1_000_000 for path in place.rglob("*.incomplete"))  # noqa: E731
    told.kill_shell(halves, HF, "download", "acme/huge", "--local-dir", place)
    seen = look(fresh.home, "hf-local", "hf")
    assert {name: state for name, (_, state, _) in seen.states.items()} == {
        "work/huge": "complete",
        "work/huge#partial": "partial",
    }
    assert seen.artifacts["work/huge#partial"].sizes.freed > 1_000_000


def test_after_a_look_the_same_download_asks_for_no_file_again(fresh: Client, hub: Hub) -> None:
    told = fresh.told(HF_ENDPOINT=hub.url)
    hub.push("models/acme/tiny", FILES)
    place = fresh.home / "work" / "tiny"
    told.shell(HF, "download", "acme/tiny", "--local-dir", place)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.safetensors")}
    look(fresh.home, "hf-local", "hf")
    told.shell(HF, "download", "acme/tiny", "--local-dir", place)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.safetensors")} == before
    assert before


def test_a_folder_for_sentence_transformers_is_a_hub_of_its_own(fresh: Client, hub: Hub) -> None:
    made = fresh.temporary / "made"
    place = fresh.home / "sentences"
    fresh.call("make_sentences", made)
    hub.push(
        "models/acme/words",
        files_below(made),
    )
    told = fresh.told(HF_ENDPOINT=hub.url, SENTENCE_TRANSFORMERS_HOME=place)
    assert told.call("load_sentences", "acme/words") == 16
    seen = look(fresh.home, "hf", "sentence-transformers", SENTENCE_TRANSFORMERS_HOME=place)
    assert str(place) in seen.roots
    ((name, revision),) = seen.artifacts.items()
    assert name.startswith("model/acme/words@")
    assert revision.state == "complete"

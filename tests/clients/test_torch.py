"""PyTorch: its hub, what torch.compile and its extensions leave, and TensorBoard events."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import torch

from clients.archives import zipped
from clients.client import Client, holds, runs
from clients.looking import look, look_outside
from clients.loopback import Web
from reclaiming import age, chosen, clean, everything, undo
from typed import Run

pytestmark = runs("with_torch", "torch")
HUB = Path(".cache/torch/hub")


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """Weights with and without a hash in their name, code, and a download that was killed."""
    packed = io.BytesIO()
    torch.save({"weights": torch.ones(40_000)}, packed)
    for name in ("tiny-abcdef12.pth", "plain.pth", "moved-abcdef12.pth"):
        web.files[f"/{name}"] = packed.getvalue()
    web.files["/acme/tiny/main.zip"] = zipped({"acme-tiny-0a1b2c/hubconf.py": b"def answer():\n    return 42\n"})
    web.files["/big-11aabbcc.pth"] = os.urandom(8_000_000)
    web.stalled.add("/big-11aabbcc.pth")
    given = client.calls(
        ("weights", f"{web.url}/tiny-abcdef12.pth"),
        ("weights", f"{web.url}/plain.pth"),
        ("repository", "acme/tiny:main", web.url),
    )
    assert given == ["weights", "weights", "42"]
    client.kill(holds(client.home / HUB), "weights", f"{web.url}/big-11aabbcc.pth")
    return client


def test_weights_code_and_a_half_download_are_told_apart(filled: Client) -> None:
    seen = look(filled.home, "torchhub")
    assert seen.states == {
        "tiny-abcdef12.pth": ("model", "complete", "re-get"),
        "plain.pth": ("model", "complete", "none"),
        "acme_tiny_main": ("other", "complete", "re-get"),
        "#partial": ("model", "partial", "re-get"),
    }
    assert seen.unclaimed == {"trusted_list"}
    assert seen.roots == {str(filled.home / HUB): "default"}
    assert [path.suffix for path in seen.files("#partial")] == [".partial"]


def test_after_a_look_the_cache_answers_without_a_server(filled: Client, web: Web) -> None:
    look(filled.home, "torchhub")
    before = len(web.asked)
    assert filled.call("weights", f"{web.url}/tiny-abcdef12.pth") == "weights"
    assert len(web.asked) == before


def test_the_variable_moves_the_hub(fresh: Client, web: Web, filled: Client) -> None:
    told = fresh.told(TORCH_HOME=fresh.home / "volume")
    told.call("weights", f"{web.url}/moved-abcdef12.pth")
    seen = look(fresh.home, "torchhub", TORCH_HOME=fresh.home / "volume")
    assert seen.roots == {str(fresh.home / "volume" / "hub"): "TORCH_HOME"}
    assert set(seen.artifacts) == {"moved-abcdef12.pth"}


def test_after_a_clean_the_hub_loads_what_was_kept_and_gets_again_what_went(
    fresh: Client, web: Web, run: Run, filled: Client
) -> None:
    kept, gone = ("weights", f"{web.url}/plain.pth"), ("weights", f"{web.url}/tiny-abcdef12.pth")
    code = ("repository", "acme/tiny:main", web.url)
    fresh.calls(kept, gone, code)
    fresh.kill(holds(fresh.home / HUB), "weights", f"{web.url}/big-11aabbcc.pth")
    hub = fresh.home / HUB
    age(hub)
    before, asked = everything(hub), len(web.asked)
    assert chosen(run, "torchhub") == {"torchhub:#partial"}
    wanted = ("torchhub:tiny-abcdef12.pth", "torchhub:acme_tiny_main")
    clean(run, "torchhub", include=wanted)
    assert (hub / "trusted_list").read_text().split() == ["acme_tiny"]
    assert fresh.call(*kept) == "weights"
    assert len(web.asked) == asked
    undo(run)
    assert everything(hub) == before
    assert fresh.calls(kept, gone, code) == ["weights", "weights", "42"]
    assert len(web.asked) == asked
    clean(run, "torchhub", include=wanted)
    assert fresh.calls(gone, code) == ["weights", "42"]
    assert len(web.asked) > asked


def test_what_torch_compile_keeps_lies_among_temporary_files(fresh: Client) -> None:
    quick = fresh.told(TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS=0)
    assert quick.call("compiled") == 100.0
    seen = look_outside(fresh.home, "inductor", TMPDIR=fresh.temporary, LOGNAME="someone")
    assert seen.states == {"cache": ("compile cache", "complete", "re-make")}
    assert seen.roots == {str(fresh.temporary / "torchinductor_someone"): "default"}
    assert any(path.suffix == ".so" for path in (fresh.temporary / "torchinductor_someone").rglob("*"))


def test_the_compile_cache_is_where_torch_itself_says(fresh: Client) -> None:
    moved = {"TORCHINDUCTOR_CACHE_DIR": f"{fresh.home}/compiled"}
    for told in (moved, {"LOGNAME": "a/b:c"}, {"TMPDIR": str(fresh.home)}):
        place = Path(str(fresh.told(**told).call("compile_cache")))
        (place / "fxgraph").mkdir(parents=True, exist_ok=True)
        env = {"TMPDIR": str(fresh.temporary), "LOGNAME": "someone"} | told
        assert set(look_outside(fresh.home, "inductor", **env).roots) == {str(place)}


def test_an_extension_that_torch_built(fresh: Client) -> None:
    source = fresh.home / "answer.cpp"
    source.write_text('extern "C" int answer() { return 42; }\n')
    built = Path(str(fresh.call("extension", "answer", source)))
    seen = look(fresh.home, "torch-extensions")
    (name,) = seen.artifacts
    assert seen.states[name] == ("compile cache", "complete", "re-make")
    assert built.is_relative_to(fresh.home / ".cache" / "torch_extensions" / name)
    assert built.is_file()


def test_tensorboard_events_of_a_training_loop(fresh: Client) -> None:
    fresh.calls(("events", fresh.home / "runs" / "one"), ("events", fresh.home / "runs" / "two"))
    seen = look(fresh.home, "tensorboard")
    assert seen.states == {f"runs/{name}": ("run", "complete", "none") for name in ("one", "two")}

"""Forge: what it adds to the web interface it was forked from, and what it borrows."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api
from stores import test_automatic1111


def program(base: Path) -> Path:
    """The parts of a clone by which it is recognised."""
    makers.write(test_automatic1111.program(base) / "modules_forge" / "main_thread.py", "code")
    return base


def make(home: Path) -> None:
    """An install with models of its own kinds and images."""
    base = program(home / "forge")
    makers.write(base / "models/Stable-diffusion/flux.safetensors", b"w" * 5000)
    makers.write(base / "models/text_encoder/t5.safetensors", b"t" * 3000)
    makers.write(base / "models/Lora/ink.safetensors", b"l" * 3000)
    makers.write(base / "models/Lora/ink.civitai.info", test_automatic1111.CIVITAI)
    makers.write(base / "output/1.png", b"not its folder")
    makers.write(base / "outputs/1.png", b"i" * 3000)
    makers.write(base / "cache/hashes/cache.db", b"c" * 3000)


def test_models_and_images(home: Path) -> None:
    make(home)
    found = {name.removeprefix("forge:forge/"): each.detail for name, each in makers.artifacts(home).items()}
    assert found == {
        "models/Stable-diffusion/flux.safetensors": "checkpoint",
        "models/text_encoder/t5.safetensors": "text encoder",
        "models/Lora/ink.safetensors": "LoRA, for SDXL 1.0",
        "outputs": "",
        "cache": "",
    }


def test_its_second_hub_cache_is_read_by_the_hub_store_alone(home: Path) -> None:
    program(home / "forge")
    makers.hub_repo(home / "forge/models/diffusers", "models--acme--tiny", {"model.safetensors": b"w" * 3000})
    found = makers.artifacts(home)
    assert [(each.store, each.title) for each in found.values()] == [("hf", "acme/tiny")]


def test_models_borrowed_from_another_install_are_counted_once_and_shown_by_both(home: Path) -> None:
    test_automatic1111.make(home)
    program(home / "forge")
    makers.write(home / "forge/webui-user.sh", f'export COMMANDLINE_ARGS="--forge-ref-a1111-home {home}/webui"\n')
    survey = api.survey({}, home, "linux", system=False)
    shared = "webui/models/Stable-diffusion/merge.safetensors"
    found = {each.id: each for each in survey.artifacts}
    assert found[f"forge:{shared}"].sizes.allocated == found[f"automatic1111:{shared}"].sizes.allocated
    assert found[f"forge:{shared}"].sizes.freed == found[f"automatic1111:{shared}"].sizes.freed == 0
    assert survey.freed([f"forge:{shared}", f"automatic1111:{shared}"]).freed >= 5000
    number = survey.artifacts.index(found[f"automatic1111:{shared}"])
    assert [each.id for each in api.sharers(survey, number)] == [f"forge:{shared}"]
    alone = api.survey({}, home / "webui", "linux", system=False)
    assert survey.totals.allocated == alone.totals.allocated
    assert "forge:webui/models/Lora/style/ink.safetensors" in found
    assert "forge:webui/outputs" not in found

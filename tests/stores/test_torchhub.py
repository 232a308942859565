"""PyTorch Hub: weights by what their name tells, code, and what downloads leave behind."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import torchhub

HUB = Path(".cache/torch/hub")


def make(home: Path) -> None:
    """Weights with and without a hash, code, and leftovers."""
    hub = home / ".cache" / "torch" / "hub"
    makers.write(hub / "checkpoints" / "resnet50-0676ba61.pth", b"w" * 6000)
    makers.write(hub / "checkpoints" / "mine.pth", b"w" * 5000)
    makers.write(hub / "checkpoints" / f"vit.pth.{'a' * 32}.partial", b"half")
    makers.write(hub / "acme_segmenter_main" / "hubconf.py", "dependencies = []")
    makers.write(hub / "main.zip", b"PK")
    makers.write(hub / "trusted_list", "acme_segmenter")


def artifacts(home: Path, env: dict[str, str] | None = None) -> dict[str, Artifact]:
    """The artifacts of the home by id."""
    return {each.id: each for each in api.survey(env or {}, home, "linux", system=False).artifacts}


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({}, "{home}/.cache/torch/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/torch/hub"),
        ({"TORCH_HOME": "~/t", "XDG_CACHE_HOME": "/x"}, "{home}/t/hub"),
    ],
)
@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_precedence_of_what_moves_it(env: dict[str, str], path: str, platform: str, home: Path) -> None:
    assert [root.path for root in makers.named(torchhub, home, platform, **env)] == [path.format(home=home)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "recovery"),
    [
        ("resnet50-0676ba61.pth", "re-get"),
        ("my-finetune.pth", "none"),
        ("weights-20240115.pth", "none"),
        ("sam_vit_h_4b8939.pth", "none"),
    ],
)
def test_only_a_hash_in_the_name_says_that_it_can_be_had_again(name: str, recovery: str, home: Path) -> None:
    makers.write(home / HUB / "checkpoints" / name)
    assert artifacts(home)[f"torchhub:{name}"].recovery == recovery


def test_weights_that_timm_fetched_by_address_and_from_the_hub(home: Path) -> None:
    """timm has no store of its own: addresses go into torch's, repositories into the cache of the hub."""
    makers.write(home / HUB / "checkpoints" / "resnet50_a1_0-14fe96d1.pth", b"w" * 4000)
    hub = home / ".cache" / "huggingface" / "hub"
    makers.hub_repo(hub, "models--timm--resnet18.a1_in1k", {"model.safetensors": b"w" * 4000})
    found = artifacts(home)
    assert set(found) == {
        "torchhub:resnet50_a1_0-14fe96d1.pth",
        f"hf:model/timm/resnet18.a1_in1k@{'a' * 12}",
    }
    assert {each.recovery for each in found.values()} == {"re-get"}


def test_half_downloads_of_new_and_old_versions(home: Path) -> None:
    for name in (f"a.pth.{'0' * 32}.partial", "tmpab12cd3_"):
        makers.write(home / HUB / "checkpoints" / name)
    assert len(artifacts(home)["torchhub:#partial"].blobs) == 2


def test_code_is_told_from_weights_and_from_a_left_over_archive(home: Path) -> None:
    make(home)
    found = artifacts(home)
    assert found["torchhub:acme_segmenter_main"].kind == "other"
    assert found["torchhub:main.zip"].state == "partial"


def test_a_moved_hub_is_recognised_and_a_training_folder_is_not(home: Path) -> None:
    make(home)
    (home / HUB).rename(home / "hub-copy")
    makers.write(home / "work" / "checkpoints" / "model.pth")
    found = artifacts(home)
    assert found["torchhub:mine.pth"].root == str(home / "hub-copy")
    assert "torchhub:model.pth" not in found

"""DiffusionBee: its true folder, the one of guides, and which models are the only copy."""

from __future__ import annotations

import json
from pathlib import Path

import makers
from modelyard import api
from modelyard.stores import diffusionbee


def make(home: Path) -> None:
    """A download, one that stopped, a converted checkpoint, and images."""
    base = home / ".diffusionbee"
    whole = makers.write(base / "downloaded_assets/sd15_model.tdict", b"w" * 5000)
    makers.write(base / "downloaded_assets/sdxl_model.tdict", b"half")
    note = {"sd15": {"id": "sd15", "asset_path": str(whole), "url": "https://host/sd15", "md5": "0"}}
    makers.write(base / "downloaded_assets.json", json.dumps(note))
    makers.write(base / "imported_models/mine.tdict", b"m" * 5000)
    makers.write(base / "custom_models/older.tdict", b"m" * 5000)
    makers.write(base / "images/1.png", b"i" * 3000)
    makers.write(base / "inp_images/0.5.png", b"i" * 3000)
    makers.write(base / "data.json", "{}")


def test_the_true_place_on_every_system(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(diffusionbee, home, platform) == [("~/.diffusionbee", "default")]


def test_what_was_converted_is_the_only_copy_and_what_is_not_listed_was_cut_short(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name.rpartition("/")[2]: (each.state, each.recovery) for name, each in found.items()} == {
        "sd15_model.tdict": ("complete", "re-get"),
        "sdxl_model.tdict": ("partial", "re-get"),
        "mine.tdict": ("complete", "none"),
        "older.tdict": ("complete", "none"),
        "images": ("complete", "none"),
        "inp_images": ("complete", "none"),
    }


def test_a_broken_list_of_downloads_calls_nothing_cut_short(home: Path) -> None:
    make(home)
    makers.write(home / ".diffusionbee/downloaded_assets.json", "{")
    survey = api.survey({}, home, "linux", system=False)
    assert {(each.state, each.recovery) for each in survey.artifacts} == {("complete", "none")}
    assert [each.code for each in survey.problems] == ["unreadable-settings"]


def test_what_lies_at_the_path_of_popular_guides_is_seen_too(home: Path) -> None:
    place = home / "Library/Application Support/DiffusionBee"
    makers.write(place / "v1-5.ckpt", b"w" * 5000)
    makers.write(place / "GPUCache/data_1", b"not a model")
    assert makers.places(diffusionbee, home, "macos")[1][1] == "path of popular guides"
    (found,) = makers.artifacts(home).values()
    assert (found.store, found.title) == ("diffusionbee", "v1-5.ckpt")

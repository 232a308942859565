"""Folders of models, whatever program keeps them: what is a model, what belongs to it, and what may not happen."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact, Root
from modelyard.stores import comfyui, model_install
from modelyard.walk.tree import walk
from stores.test_comfyui import program

LORAS = "ComfyUI/models/loras"


@pytest.fixture
def loras(home: Path) -> Path:
    """The folder of LoRAs of an install."""
    folder = program(home / "ComfyUI") / "models/loras"
    folder.mkdir()
    return folder


def look(home: Path) -> dict[str, Artifact]:
    """What was found below the folder of LoRAs, by its path in there."""
    return {name.removeprefix(f"comfyui:{LORAS}/"): each for name, each in makers.artifacts(home).items()}


def problems(home: Path) -> list[tuple[str, str]]:
    """What could not be understood: the file's name and the code."""
    found = api.survey({}, home, "linux", system=False).problems
    return [(each.path.rpartition("/")[2], each.code) for each in found]


@pytest.mark.parametrize(
    "name", ["x.safetensors.tmp", "x.safetensors.downloading", "x.part", "x.ckpt.crdownload", "x.pt.partial"]
)
def test_what_is_still_under_way_is_partial(name: str, home: Path, loras: Path) -> None:
    makers.write(loras / name, b"half")
    found = look(home)[name]
    assert (found.state, found.recovery) == ("partial", "re-get")


def test_an_empty_file_under_its_final_name_is_partial(home: Path, loras: Path) -> None:
    makers.write(loras / "x.safetensors", b"")
    assert look(home)["x.safetensors"].state == "partial"
    assert not problems(home)


def test_a_download_of_aria2_stays_together_with_its_control_file(home: Path, loras: Path) -> None:
    makers.write(loras / "x.safetensors", b"half")
    makers.write(loras / "x.safetensors.aria2", b"control")
    (found,) = look(home).values()
    assert (found.state, len(found.blobs), len(found.pins)) == ("partial", 1, 1)


def test_small_files_belong_to_the_model_whose_name_they_bear(home: Path, loras: Path) -> None:
    makers.write(loras / "a.safetensors", b"w")
    makers.write(loras / "a.b.safetensors", b"w")
    own = ("a.yaml", "a.json", "a.png", "a.preview.png", "a.civitai.info", "a.cm-info.json", "a.safetensors.sha256")
    for name in own:
        makers.write(loras / name, "{}")
    makers.write(loras / "a.b.PNG", b"p")
    makers.write(loras / "other.png", b"p")
    found = look(home)
    assert set(found) == {"a.safetensors", "a.b.safetensors"}
    assert len(found["a.safetensors"].pins) == len(own)
    assert len(found["a.b.safetensors"].pins) == 1


def test_a_large_file_of_another_ending_counts_and_a_small_one_does_not(home: Path, loras: Path) -> None:
    makers.write(loras / "odd.patch", b"p" * (1 << 20))
    makers.write(loras / "Put LoRAs here", b"")
    makers.write(loras / "readme.rst", b"words")
    assert set(look(home)) == {"odd.patch"}


def test_a_pipeline_in_folders_is_one_model_and_its_clone_is_not_claimed(home: Path, loras: Path) -> None:
    for folder in ("plain", "cloned"):
        makers.write(loras / folder / "config.json", "{}")
        makers.write(loras / folder / "model-00001-of-00002.safetensors", b"w" * 3000)
        makers.write(loras / folder / "tokenizer/vocab.json", "{}")
    makers.write(loras / "cloned/.git/objects/pack/x.pack", b"g" * 90_000)
    found = look(home)
    assert set(found) == {"plain", "cloned"}
    assert found["plain"].sizes.apparent == found["cloned"].sizes.apparent


def test_downloads_of_the_hub_are_left_to_their_own_stores(home: Path, loras: Path) -> None:
    makers.hub_repo(loras, "models--acme--tiny", {"model.safetensors": b"w" * 3000})
    makers.write(loras / "x.safetensors", b"w" * 3000)
    makers.write(loras / "deep/y.safetensors", b"w" * 3000)
    makers.write(loras / "own.safetensors", b"w" * 3000)
    for name in ("x.safetensors", "deep/y.safetensors"):
        makers.write(loras / f".cache/huggingface/download/{name}.metadata", "a" * 40 + "\nb\n1.0\n")
    found = makers.artifacts(home)
    assert {name for name, each in found.items() if each.store == "comfyui"} == {f"comfyui:{LORAS}/own.safetensors"}
    assert {each.store for each in found.values()} == {"comfyui", "hf", "hf-local"}
    assert found[f"hf-local:{LORAS}"].sizes.freed >= 6000


@pytest.mark.parametrize("name", [b"\xff\xfe.safetensors", "ｌｏｒａ\u202e.pt".encode(), b"line\nbreak.ckpt"])
def test_names_that_are_no_utf8_are_shown_and_keep_their_sidecars(name: bytes, home: Path, loras: Path) -> None:
    path = os.path.join(os.fsencode(loras), name)
    for each in (path, path.rpartition(b".")[0] + b".preview.png"):
        Path(os.fsdecode(each)).write_bytes(b"w" * 3000)
    (found,) = look(home).values()
    assert found.id.isprintable()
    assert len(found.pins) == 1
    found.id.encode()


@pytest.mark.parametrize("text", ["{", "[" * 60_000, '{"modelId": "words"}', "null", "\udcff{}"])
def test_a_broken_note_is_a_problem_and_makes_its_model_precious(text: str, home: Path, loras: Path) -> None:
    makers.write(loras / "x.safetensors", b"w" * 3000)
    makers.write(loras / "x.civitai.info", text.encode("utf-8", "surrogateescape"))
    assert look(home)["x.safetensors"].recovery == "none"
    assert problems(home) == [("x.civitai.info", "unreadable-note")]


def test_of_several_notes_the_one_that_knows_the_source_counts(home: Path, loras: Path) -> None:
    makers.write(loras / "x.safetensors", b"w" * 3000)
    makers.write(loras / "x.civitai.info", "{")
    makers.write(loras / "x.cm-info.json", json.dumps({"ModelName": "Up", "Source": "OpenModelDb"}))
    makers.write(loras / "x.metadata.json", json.dumps({"model_name": "x", "sha256": "short", "civitai": None}))
    found = look(home)["x.safetensors"]
    assert (found.title, found.recovery, found.facts[1]) == ("Up", "re-get", ("source", "OpenModelDB Up"))
    assert not problems(home)


def test_a_note_of_gigabytes_is_not_read(home: Path, loras: Path) -> None:
    makers.write(loras / "x.safetensors", b"w" * 3000)
    note = makers.write(loras / "x.civitai.info", "")
    os.truncate(note, 3 << 30)
    assert look(home)["x.safetensors"].recovery == "none"
    assert problems(home) == [("x.civitai.info", "unreadable-note")]


def test_a_linked_model_is_in_use_where_it_lies(home: Path, loras: Path, tmp_path: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"tiny.safetensors": b"w" * 90_000})
    inside = home / ".cache/huggingface/hub/models--acme--tiny/snapshots" / ("a" * 40) / "tiny.safetensors"
    (loras / "hub.safetensors").symlink_to(inside)
    (loras / "again.safetensors").symlink_to(inside)
    (loras / "out.safetensors").symlink_to(makers.write(tmp_path / "out.safetensors", b"w"))
    (loras / "gone.safetensors").symlink_to(tmp_path / "gone")
    (loras / "self.safetensors").symlink_to(loras / "self.safetensors")
    found = makers.artifacts(home)
    own = {name: each for name, each in found.items() if each.store == "comfyui"}
    assert next(each for each in found.values() if each.store == "hf").sizes.freed < 90_000
    assert [each.state for each in own.values() if each.sizes.allocated > 90_000] == ["complete"]
    assert set(own) == {f"comfyui:{LORAS}/{name}.safetensors" for name in ("again", "out", "gone", "self")}
    assert own[f"comfyui:{LORAS}/out.safetensors"].blobs == ()
    assert own[f"comfyui:{LORAS}/gone.safetensors"].state == "dangling"
    assert not problems(home)


def test_folders_nested_beyond_any_recursion(home: Path, loras: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(loras)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    Path("deep.safetensors").write_bytes(b"w" * 3000)
    try:
        assert [each.title for each in look(home).values()] == ["deep.safetensors"]
    finally:  # what removes the home after the test does it by recursion
        Path("deep.safetensors").unlink()
        for _ in range(1500):
            os.chdir("..")
            os.rmdir("d")


def calls(home: Path) -> tuple[int, int]:
    """How many artifacts there are, and how many functions were called to tell."""
    tree = walk([home], home=str(home))
    root = Root(f"{home}/ComfyUI", "test", tree.find(home / "ComfyUI"))
    counted = [0]

    def count(frame: object, event: str, what: object) -> None:
        counted[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        found = comfyui.read(root, tree)
    finally:
        sys.setprofile(None)
    return len(found.artifacts), counted[0]


def test_twenty_thousand_models_with_sidecars_take_work_in_proportion(home: Path, loras: Path) -> None:
    spent = []
    for start, count in ((0, 2_000), (2_000, 20_000)):
        for number in range(start, count):
            (loras / f"{number}.safetensors").write_bytes(b"w")
            (loras / f"{number}.preview.png").write_bytes(b"p")
        artifacts, called = calls(home)
        assert artifacts == count
        spent.append(called)
    assert spent[1] < 11 * spent[0]


def test_a_folder_far_larger_than_models_is_left_out_and_told(
    home: Path, loras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_install, "MOST", 50)
    for number in range(60):
        makers.write(home / f"data/{number}.bin", b"x")
    (loras.parent / "vae").symlink_to(home / "data")
    makers.write(loras / "x.safetensors", b"w")
    assert set(look(home)) == {"x.safetensors"}
    assert problems(home) == [("data", "too-many-files")]


def test_small_folders_of_code_are_not_looked_into_for_weights(home: Path, loras: Path) -> None:
    nodes = loras.parent.parent / "custom_nodes"
    makers.write(nodes / "small/weights.pth", b"w" * 1000)
    makers.write(nodes / "big/models/weights.pth", b"w" * (2 << 20))
    makers.write(nodes / "big/venv/pyvenv.cfg", "version = 3.12\n")
    makers.write(nodes / "big/venv/lib/x.pth", b"w" * (2 << 20))
    found = {name: each for name, each in makers.artifacts(home).items() if each.store == "comfyui"}
    assert set(found) == {"comfyui:ComfyUI/custom_nodes/big/models/weights.pth"}

"""Folders of models that a registry takes: loose files, MLflow's and BentoML's; the originals stay."""

from __future__ import annotations

import datetime
import hashlib
import math
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch
import yaml

import modelyard as my
from modelyard.library import Registry, RegistryError
from registry.test_codecs import onnx_model
from registry.test_sharing import contents


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry."""
    return my.Registry(tmp_path / "models")


def fill(root: Path) -> None:
    """A folder as people have it: models, what is none, a pickle, one that is cut, one that is linked."""
    for folder in ("vision/resnet", "text", "text/.hidden", "other"):
        (root / folder).mkdir(parents=True)
    safetensors.numpy.save_file({"w": np.arange(900.0)}, root / "vision/resnet/model.safetensors")
    onnx.save(onnx_model(), root / "text" / "tagger.bin")
    safetensors.numpy.save_file({"w": np.arange(9.0)}, root / "text" / "tagger.safetensors")
    safetensors.numpy.save_file({"w": np.arange(9.0)}, root / "text/.hidden/secret.safetensors")
    torch.save(torch.nn.Linear(2, 2), root / "other" / "pickled.pt")
    (root / "other" / "notes.txt").write_text("no model")
    np.save(root / "other" / "data.npy", np.arange(9))
    whole = (root / "text" / "tagger.safetensors").read_bytes()
    (root / "other" / "cut.safetensors").write_bytes(whole[:-8])
    (root / "other" / "linked.safetensors").symlink_to("../text/tagger.safetensors")


def test_a_folder_of_models_becomes_versions_and_stays(registry: Registry, tmp_path: Path) -> None:
    fill(tmp_path / "old")
    before = contents(tmp_path / "old")
    names = {"resnet", "text/tagger.bin", "text/tagger.safetensors", "pickled", "cut"}
    tried = registry.adopt(tmp_path / "old", dry_run=True)
    assert ({each.name for each in tried}, {each.reference for each in tried}) == (names, {""})
    assert not Path(registry.root).exists()
    done = {each.name: each for each in registry.adopt(tmp_path / "old")}
    assert set(done) == names
    assert {each.name: each.why for each in tried} == {name: each.why for name, each in done.items()}
    assert "may execute code" in done["pickled"].why
    assert "last tensor" in done["cut"].why
    assert registry.load("resnet")["w"][7] == 7
    assert registry.load("text/tagger.bin").graph.name == onnx_model().graph.name
    assert {each.state for each in registry.verify()} == {"ok"}
    assert contents(tmp_path / "old") == before


def test_what_is_here_already_is_not_taken_again(registry: Registry, tmp_path: Path) -> None:
    fill(tmp_path / "old")
    registry.adopt(tmp_path / "old")
    again = registry.adopt(tmp_path / "old")
    assert [each.why for each in again if each.reference] == ["it is here already"] * 3
    safetensors.numpy.save_file({"w": np.arange(900.0) + 1}, tmp_path / "old/vision/resnet/model.safetensors")
    found = {each.name: each.reference for each in registry.adopt(tmp_path / "old", allow_pickle=True)}
    assert (found["resnet"], found["pickled"]) == ("resnet@1.1.0", "pickled@1.0.0")
    assert registry.adopt(registry.root) == []


@pytest.mark.parametrize("name", ["a:b*c", "v1.2.3", "-x", "metadata.json", "x" * 120, "bé\u200bt"])
def test_names_that_no_model_may_have_are_changed(registry: Registry, tmp_path: Path, name: str) -> None:
    (tmp_path / "old").mkdir()
    safetensors.numpy.save_file({"w": np.arange(9.0)}, tmp_path / "old" / f"{name}.safetensors")
    (done,) = registry.adopt(tmp_path / "old")
    assert (done.why, registry.load(done.reference)["w"][3]) == ("", 3)


def test_a_name_that_is_no_text_and_files_that_cannot_be_read(registry: Registry, tmp_path: Path) -> None:
    import os

    fill(tmp_path / "old")
    source = tmp_path / "old/text/tagger.safetensors"
    os.link(source, os.fsencode(tmp_path / "old") + b"/caf\xe9.safetensors")
    done = registry.adopt(tmp_path / "old")
    assert [each.why for each in done if "caf" in each.name] == [""]
    with pytest.raises(RegistryError):
        registry.adopt(tmp_path / "nothing")


def test_what_transformers_saved_stays_together(registry: Registry, tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    settings = BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=8,
    )  # fmt: skip
    model = BertModel(settings)
    model.save_pretrained(tmp_path / "old" / "bert")
    (done,) = registry.adopt(tmp_path / "old")
    assert (done.reference, "config.json" in contents(registry.path("bert"))) == ("bert@1.0.0", True)
    again = registry.load("bert").state_dict()
    assert all(torch.equal(each, again[name]) for name, each in model.state_dict().items())


def bento(root: Path, name: str, version: str, module: str, **files: bytes) -> Path:
    """A model as BentoML 1.4 keeps it."""
    folder = root / name / version
    folder.mkdir(parents=True)
    told = {
        "name": name, "version": version, "module": module, "labels": {"team": "a"}, "options": {},
        "metadata": {"f1": 0.9, "day": datetime.date(2026, 1, 2), "odd": math.nan, "nested": {"a": [1]}},
        "context": {"framework_name": "onnx", "framework_versions": {"onnx": "1"}, "bentoml_version": "1.4.39",
                    "python_version": "3.11.7"},
        "signatures": {"run": {"batchable": False}}, "api_version": "v2",
        "creation_time": "2026-01-02T03:04:05.000000+00:00",
    }  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(told))
    for path, data in files.items():
        (folder / path.replace("__", ".")).write_bytes(data)
    return folder


def test_a_store_of_bentoml(registry: Registry, tmp_path: Path) -> None:
    root = tmp_path / "bentoml" / "models"
    data = onnx_model().SerializeToString()
    bento(root, "tagger", "aaaa", "bentoml.onnx", saved_model__onnx=data)
    bento(root, "pickled", "bbbb", "bentoml.picklable_model", saved_model__pkl=b"cos\nsystem\n(S'true'\ntR.")
    bento(root, "empty", "cccc", "")
    (root / "tagger" / "latest").write_text("aaaa")
    done = {each.name: each for each in registry.adopt(root.parent)}
    assert (done["tagger"].reference, done["tagger"].kind) == ("tagger@1.0.0", "bentoml")
    assert ("is dangerous" in done["pickled"].why, "none of its files" in done["empty"].why) == (True, True)
    kept = registry.metadata("tagger").extra["bentoml"]
    assert (kept["tag"], kept["labels"]) == ("tagger:aaaa", {"team": "a"})
    assert kept["metadata"] == {"f1": 0.9, "day": "2026-01-02", "odd": "nan"}
    assert kept["context"]["bentoml_version"] == "1.4.39"
    assert registry.load("tagger").SerializeToString() == data
    assert "is dangerous" in {each.name: each.why for each in registry.adopt(root, allow_pickle=True)}["pickled"]


def mlflow_folder(folder: Path) -> None:
    """An ONNX model as MLflow keeps it."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx_model().SerializeToString())
    told = {"flavors": {"onnx": {"data": "model.onnx"}}, "model_uuid": "u", "utc_time_created": "2026-01-02 03:04:05"}
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


def test_a_store_of_mlflow_in_files(registry: Registry, tmp_path: Path) -> None:
    runs = tmp_path / "mlruns" / "0"
    mlflow_folder(runs / ("a" * 32) / "artifacts" / "in-a-run")
    logged = runs / "models" / f"m-{'b' * 32}"
    mlflow_folder(logged / "artifacts")
    (logged / "meta.yaml").write_text(yaml.safe_dump({"name": "logged"}))
    registered = runs / "models" / f"m-{'c' * 32}"
    mlflow_folder(registered / "artifacts")
    version = tmp_path / "mlruns" / "models" / "known" / "version-3"
    version.mkdir(parents=True)
    told = {"name": "known", "version": 3, "source": f"file://{registered}/artifacts"}
    (version / "meta.yaml").write_text(yaml.safe_dump(told))
    done = {each.name: each.reference for each in registry.adopt(tmp_path / "mlruns")}
    assert done == {"in-a-run": "in-a-run@1.0.0", "logged": "logged@1.0.0", "known": "known@3.0.0"}
    digest = hashlib.sha256((registered / "artifacts" / "model.onnx").read_bytes()).hexdigest()
    assert digest in [each.sha256 for each in registry.metadata("known").files]
    shutil.rmtree(tmp_path / "mlruns")
    assert {each.state for each in registry.verify()} == {"ok"}


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/passwd", "linked.onnx"])
def test_an_mlmodel_that_leads_elsewhere_is_refused(registry: Registry, tmp_path: Path, path: str) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "outside.onnx").write_bytes(onnx_model().SerializeToString())
    (folder / "linked.onnx").symlink_to(tmp_path / "outside.onnx")
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"onnx": {"data": path}}}))
    with pytest.raises(RegistryError) as caught:
        registry.from_mlflow(folder)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize(
    "text", ["", "[", "flavors: !!python/object/apply:os.system [true]", "- a", "flavors: {other: {}}"]
)
def test_an_mlmodel_that_says_nothing_is_refused(registry: Registry, tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(RegistryError):
        registry.from_mlflow(tmp_path, "net")
    assert not list(registry.models())

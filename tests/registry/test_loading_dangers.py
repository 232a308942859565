"""What is loaded is what was saved, whoever changes it, and nothing in a file is executed."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelyard as my
from modelyard.registry import weights
from modelyard.registry.errors import RegistryError, UnsafeError
from modelyard.registry.held import Held
from modelyard.registry.pickles import refuse
from registry.forging import forge, rewrite

os.environ["KERAS_BACKEND"] = "torch"
X = np.random.default_rng(1).random((20, 3))


def estimator(seed: int = 0) -> Any:
    """A small forest."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(3, random_state=seed).fit(X, (X[:, 0] > 0.5).astype(int))


def damaged(path: Path) -> None:
    """One bit of a file is another one."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("words", [{"mmap": False}, {"verify": True}])
def test_a_wrong_digest_is_told_and_nothing_is_loaded(tmp_path: Path, words: dict[str, bool]) -> None:
    registry = my.Registry(tmp_path)
    path = registry.path(registry.save({"w": np.ones(1000)}, "net"))
    damaged(path / "model.safetensors")
    with pytest.raises(RegistryError, match=r"not the file that was saved; .*verify"):
        registry.load("net", **words)  # type: ignore[arg-type]
    with pytest.raises(RegistryError, match="not the file that was saved"):
        registry.copy_out("net", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    damaged(path / "config.json")
    with pytest.raises(RegistryError, match="not the file that was saved"):
        registry.load("net")


@pytest.mark.parametrize("name", ["metadata.json", "SHA256SUMS"])
def test_metadata_and_sums_that_do_not_fit_each_other(tmp_path: Path, name: str) -> None:
    registry = my.Registry(tmp_path)
    path = registry.path(registry.save({"w": np.ones(10)}, "net", task="abcd")) / name
    path.chmod(0o644)
    text = path.read_text()
    path.write_text(text.replace("abcd", "abce") if "abcd" in text else text.replace(text[:4], "0000"))
    with pytest.raises(RegistryError, match="do not fit each other"):
        registry.load("net")


def test_a_truncated_file(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    path = registry.path(registry.save({"w": np.ones(1000)}, "net"))
    data = (path / "model.safetensors").read_bytes()
    os.chmod(path / "model.safetensors", 0o644)
    (path / "model.safetensors").write_bytes(data[:900])
    with pytest.raises(RegistryError, match="not the file that was saved"):
        registry.load("net")
    forge(path, "model.safetensors", data[:900])
    with pytest.raises(RegistryError, match="ends before"):
        registry.load("net")
    (path / "model.safetensors").unlink()
    with pytest.raises(RegistryError, match="No such file"):
        registry.load("net")


def swapping(path: Path, data: bytes, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that puts another file under a name once it has done its work."""

    def swapped(*words: Any, **named: Any) -> Any:
        found = call(*words, **named)
        other = path.with_name("other")
        other.write_bytes(data)
        other.replace(path)
        return found

    return swapped


def test_a_file_swapped_between_check_and_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = my.Registry(tmp_path)
    good = registry.save({"w": np.zeros(5000)}, "net")
    bad = (registry.path(registry.save({"w": np.ones(5000)}, "net")) / "model.safetensors").read_bytes()
    path = registry.path(good) / "model.safetensors"
    monkeypatch.setattr(Held, "check", swapping(path, bad, Held.check))
    assert registry.load(good, verify=True)["w"].sum() == 0
    assert path.read_bytes() == bad
    monkeypatch.undo()
    with pytest.raises(RegistryError, match="not the file that was saved"):
        registry.load(good, verify=True)


def test_an_audited_file_swapped_after_the_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = my.Registry(tmp_path)
    one, other = estimator(1), estimator(2)
    which = registry.save(one, "model")
    path = registry.path(which) / "model.skops"
    bad = (registry.path(registry.save(other, "model")) / "model.skops").read_bytes()
    monkeypatch.setattr("modelyard.registry.codecs.sklearn_models.refuse", swapping(path, bad, refuse))
    assert np.array_equal(registry.load(which).predict_proba(X), one.predict_proba(X))
    assert path.read_bytes() == bad


def test_a_version_swapped_for_another_while_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = my.Registry(tmp_path)
    first, second = (registry.path(registry.save({"w": np.full(9, each)}, "net")) for each in (1.0, 2.0))
    given = weights.load

    def swapped(*words: Any) -> Any:
        first.rename(tmp_path / "aside")
        second.rename(first)
        return given(*words)

    monkeypatch.setattr("modelyard.registry.codecs.arrays.load_weights", swapped)
    assert registry.load("net@1.0.0")["w"].sum() == 9
    monkeypatch.undo()
    with pytest.raises(RegistryError, match=r"those of net@1\.1\.0"):
        registry.load("net@1.0.0")


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def test_a_malicious_pickle_saved_as_joblib(tmp_path: Path) -> None:
    registry, canary = my.Registry(tmp_path / "models"), tmp_path / "canary"
    which = registry.save(estimator(), "model", allow_pickle=True)
    assert registry.load(which, allow_pickle=True).predict(X).shape == (20,)
    with pytest.raises(UnsafeError, match=r"is a pickle.*load\(\.\.\., allow_pickle=True\) runs it"):
        registry.load(which)
    forge(registry.path(which), "model.joblib", pickle.dumps(Evil(str(canary))))
    for words in ({}, {"allow_pickle": True}, {"allow_pickle": True, "trusted": ["os", "posix"]}):
        with pytest.raises(UnsafeError, match=r"dangerous: .*system.*no flag loads it"):
            registry.load(which, **words)  # type: ignore[arg-type]
    assert not canary.exists()


def test_a_malicious_pickle_from_the_disk_is_not_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(pickle.dumps(Evil("/tmp/never")))
    with pytest.raises(UnsafeError, match=r"may execute code: .*modelyard convert"):
        my.Registry(tmp_path / "models").save(path, "model")
    torch.save({"w": torch.ones(1)}, path)
    with pytest.raises(UnsafeError, match="loads by unpickling"):
        my.Registry(tmp_path / "models").save(path, "model")


NAMES = (
    "os.system", "torch.nn.modules.linear.torch.jit.ScriptModule", "torch.nn.modules.linear.torch.hub.load",
    "canary_package.Net", "torch.nn.modules.module.Module.__init__", "builtins.exec", "__main__.Net", "..x", "",
    "torch.nn.modules.linear.__loader__", "sentence_transformers.SentenceTransformer", "torch.nn.modules.nothing.Net",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_nobody_vouches_for_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "canary_package.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = my.Registry(tmp_path / "models")
    which = registry.save(torch.nn.Linear(2, 2), "net")
    config = {"class": name, "arguments": {"in_features": 2, "out_features": 2}, "tied": {}}
    forge(registry.path(which), "config.json", json.dumps(config).encode())
    with pytest.raises(RegistryError, match=r"trusted=|no name of a class|names something else|not installed"):
        registry.load(which)
    assert not (tmp_path / "canary").exists() and "canary_package" not in sys.modules


class Doubler:
    """A step of a pipeline that nobody but its author knows."""

    def __init__(self, factor: float = 2.0) -> None:
        self.factor = factor

    def fit(self, x: Any, y: Any = None) -> Doubler:
        """Nothing to learn."""
        return self

    def transform(self, x: Any) -> Any:
        """Larger numbers."""
        return x * self.factor


def test_a_step_of_a_pipeline_that_skops_does_not_know_needs_trust(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    registry = my.Registry(tmp_path)
    pipeline = make_pipeline(Doubler(), LinearRegression()).fit(X, X[:, 0])
    which = registry.save(pipeline, "model")
    with pytest.raises(UnsafeError, match=r"would build .*Doubler; look at them, and vouch for them: trusted="):
        registry.load(which)
    for trusted in ([Doubler], [f"{__name__}.Doubler"], [__name__]):
        assert np.allclose(registry.load(which, trusted=trusted).predict(X), pipeline.predict(X))


def test_code_in_a_keras_model_is_refused(tmp_path: Path) -> None:
    import keras

    layers = [keras.layers.Input((3,)), keras.layers.Lambda(lambda x: x * 2)]
    registry = my.Registry(tmp_path)
    which = registry.save(keras.Sequential(layers), "model")
    with pytest.raises(UnsafeError, match="dangerous"):
        registry.load(which, trusted=["keras"])


def test_code_that_a_hugging_face_configuration_names_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    settings = BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4)
    registry = my.Registry(tmp_path)
    which = registry.save(BertModel(settings), "model")
    config = json.loads((registry.path(which) / "config.json").read_text())
    for more in (
        {"auto_map": {"AutoModel": "evil--code.Model"}},
        {"architectures": ["AutoModel"]},
        {"architectures": ["os"]},
    ):
        forge(registry.path(which), "config.json", json.dumps({**config, **more}).encode())
        with pytest.raises(UnsafeError):
            registry.load(which)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "", "a//b", "a\x00b"])
def test_metadata_that_name_a_file_outside_of_the_version(tmp_path: Path, path: str) -> None:
    registry = my.Registry(tmp_path / "models")
    folder = registry.path(registry.save({"w": np.ones(3)}, "net"))
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["files"].append({"path": path, "size": 1, "sha256": "0" * 64})
    rewrite(folder, metadata)
    with pytest.raises(RegistryError, match="outside of it"):
        registry.load("net")
    assert "corrupt" in {each.state for each in registry.verify()}
    registry.save({"w": np.ones(3)}, "net")


def test_a_link_inside_a_version_is_not_followed(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path / "models")
    folder = registry.path(registry.save({"w": np.ones(3)}, "net"))
    (folder / "model.safetensors").rename(tmp_path / "elsewhere")
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RegistryError, match="Too many levels of symbolic links"):
        registry.load("net")
    assert [each.state for each in registry.verify() if each.state != "ok"] == ["unreadable"]


BROKEN: tuple[dict[str, Any], ...] = (
    {"structure": {"tensor": "nothing"}}, {"structure": {"dict": []}}, {"structure": []},
    {"structure": {"pairs": [[1]]}}, {"structure": {"other": 1}}, {"structure": None},
    {"kind": 1, "structure": {"dict": {"a": {"float": "x"}}}},
)  # fmt: skip


@pytest.mark.parametrize("config", BROKEN, ids=range(len(BROKEN)))
def test_a_damaged_configuration(tmp_path: Path, config: dict[str, Any]) -> None:
    registry = my.Registry(tmp_path)
    folder = registry.path(registry.save({"w": np.ones(3)}, "net"))
    forge(folder, "config.json", json.dumps(config).encode())
    with pytest.raises(RegistryError, match="structure"):
        registry.load("net")


def test_references_that_mean_nothing_are_told_with_what_is_there(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    with pytest.raises(RegistryError, match="nothing was saved there yet"):
        registry.load("net")
    for version in ("1.0.0", "1.2.0", "2.0.0-rc.1"):
        registry.save({"w": np.ones(1)}, "network", version=version)
    registry.alias("network", "production", "^1")
    meant = [str(registry.resolve(f"network{each}")) for each in ("", "@production", "@~1.0", "@2.0.0-rc.1", "@latest")]
    assert meant == [f"network@{each}" for each in ("1.2.0", "1.2.0", "1.0.0", "2.0.0-rc.1", "1.2.0")]
    for text, words in {
        "netwrk": "there is network", "network@3": r"no version '3'; it has 1\.0\.0, 1\.2\.0",
        "network@staging": "aliases: production; versions: 1.0.0", "network@1.0.1": "no version",
    }.items():  # fmt: skip
        with pytest.raises(RegistryError, match=words):
            registry.load(text)
    for alias in ("latest", "1.0.0", "a/b", "", "^1"):
        with pytest.raises(RegistryError, match="no name for an alias"):
            registry.alias("network", alias, "1.0.0")
    registry.alias("network", "production")
    assert registry.aliases("network") == {}

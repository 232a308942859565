"""A codec of another package, really installed, saves and loads what is its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import modelyard as my
from modelyard.registry import codecs
from modelyard.registry.errors import RegistryError

CODEC = '''
"""A codec for word counts."""
import json
from modelyard.registry.codec import Saved
NAME = "counts"
OPTIONS = ("indent",)
class Counts(dict):
    pass
def takes(model):
    return isinstance(model, Counts)
def save(model, to, wish):
    to.write("model.counts", json.dumps(model, indent=wish.options.get("indent")).encode())
    return Saved("Counts", ("counts-codec",), {"words": len(model)})
def load(files, metadata, wish):
    return Counts(json.loads(bytes(files.content("model.counts"))))
def run(model, example):
    return model.get(example, 0)
'''


def test_a_codec_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "counts_codec-1.5.dist-info"
    info.mkdir(parents=True)
    (site / "counts_codec.py").write_text(CODEC)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counts-codec\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[modelyard.codecs]\ncounts = counts_codec\n")
    monkeypatch.syspath_prepend(str(site))
    codecs.others.cache_clear()
    try:
        import counts_codec  # type: ignore[import-not-found]

        registry = my.Registry(tmp_path / "models")
        registry.save(counts_codec.Counts(a=2), "words", example_input="a", indent=2)
        found = registry.load("words")
        assert type(found) is counts_codec.Counts and found == {"a": 2}
        metadata = registry.metadata("words")
        assert (metadata.codec, metadata.packages, metadata.outputs[0].dtype) == (
            "counts",
            {"counts-codec": "1.5"},
            "int",
        )
        with pytest.raises(TypeError, match="unexpected keyword argument 'metric'"):
            registry.save(counts_codec.Counts(), "words", metric=1)
    finally:
        codecs.others.cache_clear()
        sys.modules.pop("counts_codec", None)
        monkeypatch.undo()
    with pytest.raises(RegistryError, match="no codec is called 'counts'; install the package"):
        registry.load("words")
    codecs.others.cache_clear()


def test_a_framework_that_is_not_installed_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LinearRegression

    registry = my.Registry(tmp_path)
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    registry.save(model, "model")
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for verb in (lambda: registry.load("model"), lambda: registry.save(model, "model")):
        with pytest.raises(RegistryError, match="needs skops, which is not installed; pip install skops"):
            verb()
    monkeypatch.delitem(sys.modules, "modelyard.registry.codecs.sklearn_models")
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(RegistryError, match="needs sklearn, which is not installed; pip install scikit-learn"):
        registry.load("model")


def test_what_no_codec_takes_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nothing here saves a builtins\.object; .*modelyard\.codecs"):
        my.Registry(tmp_path).save(object(), "net")

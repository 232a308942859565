"""Model cards, read by the hub's own client."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard, ModelCardData

import modelyard as my
from modelyard.library import Registry, RegistryError

HOSTILE = "a|b\n---\n# c <script> `d`"


def read(text: str) -> ModelCardData:
    """What the hub's client finds in a card."""
    data = ModelCard(text).data
    assert isinstance(data, ModelCardData)
    return data


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with one version of which everything is known."""
    registry = my.Registry(tmp_path / "models")
    registry.save(
        {"w": np.arange(9.0)}, "net", task="text-classification", metrics={"f1": 0.93, "loss": 0.1},
        license="Apache-2.0", tags=["small", HOSTILE], training={"lr": 0.1, HOSTILE: HOSTILE},
        datasets=[{"name": "imdb", "uri": "hf://datasets/stanfordnlp/imdb", "role": "test"}, {"name": HOSTILE}],
    )  # fmt: skip
    return registry


def test_the_hub_reads_what_is_known(registry: Registry) -> None:
    text = registry.card("net")
    data = read(text)
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "numpy", "text-classification")
    assert (data.tags, data.datasets) == (["small", HOSTILE, "modelyard"], ["stanfordnlp/imdb"])
    assert data.model_name == "net"
    assert data.eval_results is not None
    found = [(each.task_type, each.dataset_name, each.metric_type, each.metric_value) for each in data.eval_results]
    assert found == [("text-classification", "imdb", "f1", 0.93), ("text-classification", "imdb", "loss", 0.1)]
    assert "| f1 | 0.93 |" in text
    assert not [
        line for line in text.partition("\n---\n")[2].splitlines() if line.startswith("# c") or " <script" in line
    ]


def test_a_version_of_which_little_is_known_has_a_card(registry: Registry) -> None:
    registry.save({"w": np.arange(9.0)}, "bare", license="Our Own 1.0")
    data = read(registry.card("bare"))
    assert (data.license, data.license_name, data.eval_results) == ("other", "our-own-1.0", None)


def test_written_beside_a_version_that_stays_as_it_was(registry: Registry) -> None:
    before = {each.path: each.sha256 for each in registry.metadata("net").files}
    text = registry.card("net", write=True)
    assert (registry.path("net") / "README.md").read_text() == text
    assert {each.state for each in registry.verify("net")} == {"ok"}
    after = {each.path: each.sha256 for each in registry.metadata("net").files}
    assert {path: after[path] for path in before} == before
    assert registry.card("net", write=True) == text


def test_a_card_of_its_own_stays(registry: Registry, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("modelyard.registry.carding.card", lambda _: "by hand")
        registry.card("net", write=True)
    with pytest.raises(RegistryError, match=r"README.md of its own"):
        registry.card("net", write=True)
    assert (registry.path("net") / "README.md").read_text() == "by hand"

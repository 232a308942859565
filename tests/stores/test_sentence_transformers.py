"""Full copies of old sentence-transformers, and what a person saved beside them."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import huggingface, sentence_transformers

OLD = Path(".cache/torch/sentence_transformers")


def make(home: Path) -> None:
    """A copy of a repository, half of one, half an archive of the oldest versions, and a model of one's own."""
    for file in (".gitattributes", "pytorch_model.bin", "modules.json"):
        makers.write(home / OLD / "acme_tiny" / file, b"w" * 3000)
    makers.write(home / OLD / "acme_half" / ".gitattributes", "")
    makers.write(home / OLD / "sbert.net_models_bert-base_part" / "model.zip", b"PK" * 2000)
    makers.write(home / OLD / "mine" / "modules.json", "[]")


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(sentence_transformers, home, platform) == [(f"~/{OLD}", "default")]
    moved = makers.places(sentence_transformers, home, SENTENCE_TRANSFORMERS_HOME="/s", TORCH_HOME="/t")
    assert moved == [("/s", "SENTENCE_TRANSFORMERS_HOME"), ("/t/sentence_transformers", "TORCH_HOME")]


def test_the_last_file_of_a_download_tells_whole_from_half(home: Path) -> None:
    make(home)
    found = {name.partition(":")[2]: each for name, each in makers.artifacts(home).items()}
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        "acme_tiny": ("orphan", "re-get"),
        "acme_half": ("partial", "re-get"),
        "sbert.net_models_bert-base_part": ("partial", "re-get"),
        "mine": ("complete", "none"),
    }


def test_a_model_of_ones_own_is_never_called_a_download(home: Path) -> None:
    """`model.save(...)` into the same folder writes the same files, but for what only a repository holds."""
    for name in ("acme_finetuned", "second_part"):
        makers.write(home / OLD / name / "modules.json", "[]")
        makers.write(home / OLD / name / "model.safetensors", b"w" * 3000)
    assert {each.recovery for each in makers.artifacts(home).values()} == {"none"}


def test_new_releases_make_the_same_variable_a_root_of_the_hub(home: Path) -> None:
    place = home / "models"
    makers.hub_repo(place, "models--acme--tiny", {"modules.json": b"[]"})
    makers.write(place / "acme_old" / ".gitattributes", "")
    makers.write(place / "acme_old" / "modules.json", "[]")
    assert (str(place), "SENTENCE_TRANSFORMERS_HOME") in [
        (root.path, root.found_by) for root in makers.named(huggingface, home, SENTENCE_TRANSFORMERS_HOME=str(place))
    ]
    found = makers.artifacts(home, SENTENCE_TRANSFORMERS_HOME=str(place))
    assert set(found) == {f"hf:model/acme/tiny@{'a' * 12}", "sentence-transformers:acme_old"}

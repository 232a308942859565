"""What the files of each store have to be: one function a store, listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from modelyard.inventory import Artifact
from modelyard.stores.expects import conda, hub, names, notes, ollama, pip, records, sums
from modelyard.stores.expects.expectation import Expectation, Method
from modelyard.walk.tree import Tree

__all__ = ["EXPECTS", "Expectation", "Expects", "Method", "expects"]

Expects = Callable[[Tree, Artifact], Iterator[Expectation]]
EXPECTS: Mapping[str, Expects] = {
    "hf": hub.expects,
    "hf-local": notes.local_dir,
    "transformers-legacy": notes.transformers,
    "llamacpp": notes.llama_cpp,
    "textgen": notes.webui,
    "ollama": ollama.expects,
    "ramalama": ollama.named,
    "docker-models": ollama.named,
    "torchhub": names.torch_hub,
    "dvc": names.dvc,
    "wandb": names.wandb,
    "conda": conda.expects,
    "rattler": conda.expects,
    "pip": pip.expects,
    "pipenv": pip.expects,
    "uv": records.archives,
}
"""By the name of a store; Python environments of every other store have their RECORDs."""


def expects(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """What somebody says of the files of an artifact: its store first, then lists of digests that lie in it."""
    told = EXPECTS.get(artifact.store)
    if artifact.kind == "environment" and artifact.store != "conda":
        told = records.environment
    if told is not None:
        yield from told(tree, artifact)
    if artifact.kind not in ("environment", "package cache"):
        yield from sums.expects(tree, artifact)

"""How programs ask for models, data and environments by name: the calls and commands that references are known by."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from modelyard.inventory import Artifact, Confidence

HUB = ("hf", "modelscope", "sentence-transformers", "transformers-legacy", "llamacpp", "lmstudio", "ramalama")
ENGINES = ("docker", "podman")
ANY = (*HUB, "ollama")
QUOTED = re.compile(rb"""\s*\(\s*(?:[a-z_]+\s*=\s*)?["']([^"'\s]{1,200})["']""")
SETTING = re.compile(rb"""\w*["']?\s*[:=]\s*["']?([\w~.][\w.~-]*(?:[/:][\w.~-]+)+|[\w~][\w.~-]+(?=["']))""")
VALUE = re.compile(rb"""\s*["']?([\w.~/][\w./:@~+-]{0,200})""")
ARGUMENTS = re.compile(rb"(?:[^\n;|&\\]|\\\n|\\.){1,1000}")
ARGUMENT = re.compile(rb"""(?<![\w./:@~+=-])[\w.~/][\w./:@~+-]{0,200}""")
KINDS = frozenset({"model", "models", "dataset", "datasets", "space", "kernel", "env", "base", "image", "tool"})


class Call(Struct, frozen=True):
    """A way of asking by name: the word it begins with, what follows it, and whose names these are."""

    word: bytes
    rest: re.Pattern[bytes]
    stores: tuple[str, ...]
    confidence: Confidence = "high"

    def names(self, text: bytes, offset: int) -> Iterator[tuple[str, int]]:
        """The names that are asked for by the word at this offset, and where each ends.

        Of a command every argument may be the name: which options take a value is only known to the program.
        """
        found = self.rest.match(text, offset + len(self.word))
        if found and self.rest is not ARGUMENTS:
            yield found[1].decode("utf-8", "replace").rstrip(".,:"), found.end()
        elif found:
            for each in ARGUMENT.finditer(found[0]):
                yield each[0].decode("utf-8", "replace").rstrip(".,:"), found.start() + each.end()


def _words(words: str, rest: re.Pattern[bytes], stores: tuple[str, ...], sure: Confidence = "high") -> Iterator[Call]:
    for word in words.split(", "):
        yield Call(word.encode(), rest, stores, sure)


LOADERS = "from_pretrained, snapshot_download, hf_hub_download, SentenceTransformer, CrossEncoder, WhisperModel"
CALLS = (
    *_words(LOADERS, QUOTED, HUB),
    *_words("load_dataset, load_dataset_builder", QUOTED, ("hf", "hf-datasets")),
    *_words("create_model", QUOTED, ("torchhub", "hf")),
    *_words("model_download, dataset_download, competition_download", QUOTED, ("kagglehub",)),
    *_words("spacy.load", QUOTED, ("spacy",)),
    *_words("whisper.load_model", QUOTED, ("whisper",)),
    *_words("tfds.load, tfds.builder", QUOTED, ("tfds",)),
    *_words("nltk.download", QUOTED, ("nltk",)),
    *_words("torch.hub.load", QUOTED, ("torchhub",)),
    *_words("hf download, huggingface-cli download, vllm serve, --hf-repo, -hf ", ARGUMENTS, HUB),
    *_words("ollama run, ollama pull, ollama show, ollama create, ollama cp", ARGUMENTS, ("ollama",)),
    *_words("conda activate, mamba activate, conda run, mamba run", ARGUMENTS, ("conda",)),
    *_words("docker run, podman run", ARGUMENTS, ENGINES),
    *_words(
        "repo_id, base_model, model_id, model_name, pretrained_model, --model", SETTING, (*HUB, "ollama"), "medium"
    ),
    *_words('model=", model=\', "model": , model: ', VALUE, ANY, "medium"),
    *_words("\nFROM ", VALUE, (*ENGINES, "ollama")),
    *_words("image:", VALUE, ENGINES, "medium"),
)


def handles(artifact: Artifact) -> Iterator[str]:
    """The names by which programs may ask for an artifact, from its id; none for what no tool offers by name."""
    if "#" in artifact.id:
        return
    tail = artifact.id.partition(":")[2].partition("@")[0]
    first, _, rest = tail.partition("/")
    if first == "base":
        yield first
    for name in (tail, rest) if first in KINDS else (tail,):
        yield name
        yield name.removesuffix(":latest")
        yield name.removeprefix("sentence-transformers/")

"""Hugging Face models with their tokenizer, in the layout of `save_pretrained`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from modelyard.apply.folder import Folder
from modelyard.registry.classes import find, path_of
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError, UnsafeError
from modelyard.registry.held import Held
from modelyard.registry.layout import CONFIG
from modelyard.registry.metadata import Metadata
from modelyard.registry.pickles import refuse
from modelyard.registry.weights import WEIGHTS
from modelyard.registry.weights import load as load_weights

NAME = "transformers"
OPTIONS = ("tokenizer",)
ONE_FILE = "100000GB"
GENERATION = "generation_config.json"


class Pretrained(NamedTuple):
    """A model and its tokenizer."""

    model: Any
    tokenizer: Any


def _is_model(model: Any) -> bool:
    transformers = sys.modules.get("transformers")
    return transformers is not None and isinstance(model, transformers.PreTrainedModel)


def takes(model: Any) -> bool:
    """A model, or a tuple of a model and its tokenizer."""
    return _is_model(model[0]) if isinstance(model, tuple) and len(model) == 2 else _is_model(model)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """What `save_pretrained` writes, the weights in one file."""
    tokenizer = wish.options.get("tokenizer")
    if isinstance(model, tuple):
        model, tokenizer = model
    folder = os.fsdecode(to.path)
    model.save_pretrained(folder, max_shard_size=ONE_FILE)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    to.take_all()
    return Saved("Transformers", ("transformers", "torch", "tokenizers", "safetensors"))


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The model, or a Pretrained with its tokenizer where that was saved. No code of the folder is run."""
    import transformers

    config = read_config(files)
    found = refuse(files.content(CONFIG), CONFIG, files.shown(CONFIG))
    if found:
        raise UnsafeError(
            f"{files.shown(CONFIG)}: {found[0].runs}", "untrusted-class", "load it with transformers itself"
        )
    kind: Any = _class_of(config, files, wish)
    state = load_weights(files, wish, "torch")
    settings = kind.config_class.from_dict(config)
    model = kind.from_pretrained(None, config=settings, state_dict=state, dtype=wish.dtype or "auto")
    if files.has(GENERATION):
        model.generation_config = transformers.GenerationConfig.from_pretrained(files.copied({GENERATION: GENERATION}))
    model = model if wish.device is None else model.to(wish.device)
    return Pretrained(model, _tokenizer(files)) if _has_tokenizer(files) else model


def _class_of(config: Mapping[str, Any], files: Held, wish: Loading) -> type:
    """The class that the configuration names: one of transformers' own models, or one that the caller gives."""
    import transformers

    names = config.get("architectures") or [""]
    for each in wish.trusted:
        if isinstance(each, type) and each.__name__ == names[0]:
            return find(path_of(each), transformers.PreTrainedModel, wish.trusted)
    kind = getattr(transformers, str(names[0]), None)
    if not isinstance(kind, type) or not issubclass(kind, transformers.PreTrainedModel):
        hint = "give the class: trusted=[TheClass]"
        raise UnsafeError(f"{files.shown(CONFIG)}: {names[0]!r} is no model of transformers", "untrusted-class", hint)
    return kind


def _has_tokenizer(files: Held) -> bool:
    return files.has("tokenizer_config.json")


def _tokenizer(files: Held) -> Any:
    """The tokenizer from a private copy of all small files."""
    import transformers

    small = [name for name in files.entries if name != WEIGHTS and "/" not in name]
    config = files.content("tokenizer_config.json")
    if found := refuse(config, "tokenizer_config.json", files.shown("tokenizer_config.json")):
        raise UnsafeError(f"{files.shown('tokenizer_config.json')}: {found[0].runs}", "untrusted-class")
    folder = files.copied({name: name for name in small})
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError, ImportError) as error:
        raise RegistryError(f"{files.path}: its tokenizer cannot be loaded: {error}", "damaged") from error


def run(model: Any, example: Any) -> Any:
    """The answer of the model to a dict of inputs, those parts of it that are tensors."""
    import torch

    model = model[0] if isinstance(model, tuple) else model
    with torch.no_grad():
        found = model(**example) if isinstance(example, Mapping) else model(example)
    return dict(found) if isinstance(found, Mapping) else found

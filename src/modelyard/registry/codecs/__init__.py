"""Every codec: one file a framework, imported only when an object or a saved version asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from modelyard.registry.codec import Codec
from modelyard.registry.errors import RegistryError, missing

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CODECS = {
    "file": ("files", ("pathlib", "builtins", "modelyard")),
    "xgboost": ("xgboost_models", ("xgboost",)),
    "lightgbm": ("lightgbm_models", ("lightgbm",)),
    "catboost": ("catboost_models", ("catboost",)),
    "sklearn": ("sklearn_models", ("sklearn",)),
    "transformers": ("transformers_models", ("transformers", "builtins")),
    "keras": ("keras_models", ("keras",)),
    "onnx": ("onnx_models", ("onnx",)),
    "torch": ("torch_modules", ("torch",)),
    "arrays": ("arrays", ("numpy", "torch", "builtins")),
}
"""By the name that metadata have: the module, and the packages whose types it takes. The first one that takes wins."""
GROUP = "modelyard.codecs"


def _own(name: str) -> Codec:
    try:
        return cast(Codec, import_module(f"modelyard.registry.codecs.{CODECS[name][0]}"))
    except ImportError as error:
        raise missing(f"a model of the codec {name}", error) from error


@cache
def others() -> dict[str, EntryPoint]:
    """The codecs of installed packages, by name; looked for once in a process."""
    from importlib.metadata import entry_points  # late: listing models needs no codec

    return {each.name: each for each in entry_points(group=GROUP) if each.name not in CODECS}


def packages_of(model: Any) -> set[str]:
    """The packages that define the type of an object and those it inherits from."""
    return {each.__module__.partition(".")[0] for each in type(model).__mro__ if each is not object}


def candidates(model: Any) -> Iterator[Codec]:
    """The codecs that may take an object: those of other packages first, so that they can take what is theirs."""
    for each in others().values():
        yield cast(Codec, each.load())
    packages = packages_of(model)
    for name, (_, theirs) in CODECS.items():
        if packages.intersection(theirs):
            yield _own(name)


def codec_of(model: Any) -> Codec:
    """The codec that saves an object. RegistryError where none does."""
    for each in candidates(model):
        if each.takes(model):
            return each
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    hint = "save its tensors as a dict, or register a codec under the entry point group modelyard.codecs"
    raise RegistryError(f"nothing here saves a {kind}", "no-codec", hint)


def refuse_unknown(codec: Codec, options: Mapping[str, Any]) -> None:
    """TypeError for words that the codec of an object does not know; it names those that it does in `OPTIONS`."""
    known = getattr(codec, "OPTIONS", ())
    for each in options:
        if each not in known:
            raise TypeError(f"save() got an unexpected keyword argument {each!r}")


def named(name: str) -> Codec:
    """The codec that metadata name. RegistryError where it is not installed."""
    if name in CODECS:
        return _own(name)
    more = others()
    if name not in more:
        raise RegistryError(f"no codec is called {name[:80]!r}", "no-codec", "install the package that saved it")
    return cast(Codec, more[name].load())

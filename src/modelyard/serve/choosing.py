"""Which engine serves a version: onnxruntime where it was exported, else the framework that it was made with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal

import msgspec
from msgspec import Struct

from modelyard.registry import codecs
from modelyard.registry import metadata as texts
from modelyard.registry.codec import Loading
from modelyard.registry.errors import RegistryError
from modelyard.registry.loading import opened
from modelyard.registry.registry import Registry
from modelyard.serve.native_predictor import NativePredictor
from modelyard.serve.service import Access, Limits, Predictor, Service

Engine = Literal["auto", "onnx", "native"]

ONNX_CODEC = "onnx"


class Wish(Struct, frozen=True):
    """How a version is to be loaded; 0 threads: what the engine chooses."""

    engine: Engine = "auto"
    threads: int = 0
    allow_pickle: bool = False
    trusted: Sequence[Any] = ()


class Served:
    """A version held open for as long as it is served: nobody can change what was verified."""

    def __init__(self, registry: Registry, which: str) -> None:
        self._registry, self._which = registry, registry.resolve(which)
        self._stack = ExitStack()

    def __enter__(self) -> Served:
        """Opens it. RegistryError where it cannot be trusted."""
        self._files, self.metadata = self._stack.enter_context(opened(self._registry.root, self._which))
        return self

    def __exit__(self, *_: object) -> None:
        """Lets it go."""
        self._stack.close()

    def predictor(self, wish: Wish) -> Predictor:
        """The loaded model. RegistryError and UnsafeError as loading raises them."""
        from modelyard.serve.onnx_predictor import OnnxPredictor, has_export  # late: it loads onnxruntime

        if wish.engine != "native" and has_export(self._files):
            return OnnxPredictor(self._files, wish.threads)
        if wish.engine == "onnx" or self.metadata.codec == ONNX_CODEC:
            hint = f"`modelyard registry export {self._which} onnx` makes it"
            raise RegistryError(f"{self._which} has no ONNX export", "no-export", hint)
        codec = codecs.named(self.metadata.codec)
        trusted = (*self._registry.trusted, *wish.trusted)
        loading = Loading(verify=True, allow_pickle=wish.allow_pickle, trusted=trusted)
        model = codec.load(self._files, self.metadata, loading)
        return NativePredictor(model, codec, self.metadata)

    def service(self, predictor: Predictor, limits: Limits, access: Access) -> Service:
        """Everything that is served."""
        told = msgspec.json.decode(texts.encode(self.metadata))
        return Service(self.metadata.name, self.metadata.version, told, predictor, limits, access)

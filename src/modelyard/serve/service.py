"""One model that is served: what it is, how it is called, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct, field

from modelyard.serve.arrays import Arrays, Reader
from modelyard.serve.batching import Batcher, Bounds
from modelyard.serve.measures import Measures
from modelyard.serve.signature import Signature


class Predictor(Protocol):
    """A loaded model."""

    signature: Signature
    engine: str
    """What computes: `onnxruntime 1.32.0`, `scikit-learn 1.9.1`."""

    def predict(self, inputs: Arrays) -> Arrays:
        """The outputs by name, in the order of the signature. Called from one thread at a time."""
        ...


class Limits(Struct, frozen=True):
    """Bytes of a body, and what the batcher keeps to."""

    body: int = 32 << 20
    bounds: Bounds = field(default_factory=Bounds)


class Access(Struct, frozen=True):
    """Who may ask: the token that has to be sent, and the names under which the server may be addressed (none: any)."""

    token: str = ""
    hosts: frozenset[str] = frozenset()


class Service:
    """A model ready to be asked."""

    def __init__(
        self, name: str, version: str, metadata: Mapping[str, Any], predictor: Predictor, limits: Limits, access: Access
    ) -> None:
        self.name, self.version, self.metadata = name, version, metadata
        self.predictor, self.limits, self.access = predictor, limits, access
        self.signature = predictor.signature
        self.reader = Reader(self.signature, limits.body)
        self.measures = Measures(name, version)
        self.batcher = Batcher(predictor.predict, self.signature.batches, limits.bounds, self.measures.call)
        self.measures.watch(lambda: self.batcher.waiting)
        self.ready = False

    def start(self) -> None:
        """Begins to answer."""
        self.batcher.start()
        self.ready = True

    async def stop(self) -> None:
        """Answers what waits and takes nothing new."""
        self.ready = False
        await self.batcher.stop()

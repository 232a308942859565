"""A model through the framework that it was made with, by the schema that was saved with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from modelyard.registry.calling import arranged
from modelyard.registry.codec import Codec
from modelyard.registry.errors import RegistryError
from modelyard.registry.metadata import Metadata, Port
from modelyard.serve.arrays import Arrays
from modelyard.serve.signature import Signature, Spec

PROBABILITIES = "probabilities"


class NativePredictor:
    """A loaded model, called with what its example looked like."""

    def __init__(self, model: Any, codec: Codec, metadata: Metadata) -> None:
        if not metadata.inputs or not metadata.outputs:
            hint = "save it with example_input=, or `modelyard registry export NAME onnx`"
            raise RegistryError(f"{metadata.name} {metadata.version} does not say what it takes", "no-schema", hint)
        self._model, self._codec = model, codec
        self._outputs = _specs(metadata.outputs)
        classes = _classes(model)
        more = (Spec(PROBABILITIES, (None, classes), "float64"),) if classes else ()
        self.signature = Signature(_specs(metadata.inputs), self._outputs + more)
        version = next(iter(metadata.packages.values()), "")
        self.engine = f"{metadata.framework} {version}".strip()

    def predict(self, inputs: Arrays) -> Arrays:
        """One call of the model."""
        given = arranged(inputs, self._codec.NAME)
        found = _arrays(self._codec.run(self._model, given), self._outputs)
        if len(self.signature.outputs) > len(self._outputs):
            found[PROBABILITIES] = numpy.asarray(self._model.predict_proba(given), "f8")
        return found


def _specs(ports: Sequence[Port]) -> tuple[Spec, ...]:
    """RegistryError for dtypes that cannot be sent."""
    try:
        return tuple(Spec(each.name, tuple(each.shape), each.dtype) for each in ports)
    except ValueError as error:
        hint = "export it to ONNX with inputs and outputs of another dtype"
        raise RegistryError(str(error), "unsupported", hint) from error


def _classes(model: Any) -> int:
    """How many classes a classifier tells probabilities of; 0 for everything else."""
    classes = getattr(model, "classes_", None)
    return len(classes) if isinstance(classes, numpy.ndarray) and classes.ndim == 1 and _tells(model) else 0


def _tells(model: Any) -> bool:
    return hasattr(model, "predict_proba")


def _arrays(found: Any, specs: Sequence[Spec]) -> Arrays:
    """The outputs by name, in the dtypes that were promised."""
    if isinstance(found, Mapping):
        parts = [found[each.name] for each in specs]
    elif isinstance(found, tuple):
        parts = [found[int(each.name.rpartition("_")[2])] for each in specs]
    else:
        parts = [found]
    return {spec.name: _array(part, spec) for spec, part in zip(specs, parts, strict=True)}


def _array(value: Any, spec: Spec) -> numpy.ndarray[Any, Any]:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return numpy.asarray(value).astype(object if spec.dtype == "str" else spec.dtype, copy=False)

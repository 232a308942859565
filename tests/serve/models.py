"""Models to be served: real ones through onnxruntime, and a plain function of every dtype."""

from __future__ import annotations

import numpy

from modelyard.serve.arrays import Arrays
from modelyard.serve.service import Access, Limits, Service
from modelyard.serve.signature import DTYPES, Signature, Spec


class Echo:
    """Gives back what it gets, of every dtype, a vector a row, and one array without a free axis."""

    engine = "numpy"
    signature = Signature(
        tuple(Spec(f"of {each}", (None, 2), each) for each in DTYPES),
        tuple(Spec(f"same {each}", (None, 2), each) for each in DTYPES),
    )

    def predict(self, inputs: Arrays) -> Arrays:
        """The same, under other names."""
        return {f"same {name.removeprefix('of ')}": array for name, array in inputs.items()}


class Sums:
    """The sum of each row, and how it is called."""

    engine = "numpy"
    signature = Signature(
        (Spec("x", (None, 3), "float32"),), (Spec("total", (None,), "float32"), Spec("name", (None,), "str"))
    )

    def predict(self, inputs: Arrays) -> Arrays:
        """By rows."""
        with numpy.errstate(over="ignore", invalid="ignore"):
            total = inputs["x"].sum(axis=1)
        return {"total": total, "name": numpy.array(["many" if each > 10 else "few" for each in total], dtype=object)}


def service(predictor: Echo | Sums, limits: Limits | None = None, access: Access | None = None) -> Service:
    """A service of one of them, called `team/sums`."""
    return Service("team/sums", "1.2.0", {"name": "team/sums"}, predictor, limits or Limits(), access or Access())

"""scikit-learn estimators and pipelines: skops, which can be audited; joblib only when a person asks for pickle."""

from __future__ import annotations

from typing import Any

import sklearn.base

from modelyard.apply.folder import Folder
from modelyard.registry.classes import vouched
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.errors import RegistryError, UnsafeError, missing
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.pickles import allowed, refuse

NAME = "sklearn"
AUDITED, PICKLED = "model.skops", "model.joblib"
HARMLESS = frozenset(
    ("sklearn.tree._tree.Tree", "sklearn.neighbors._kd_tree.KDTree64", "sklearn.neighbors._ball_tree.BallTree64")
)
"""Types that skops does not trust by itself and that only hold numbers: their state is set field by field."""


def takes(model: Any) -> bool:
    """Estimators, pipelines among them."""
    return isinstance(model, sklearn.base.BaseEstimator)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """One file, of skops unless pickle was asked for."""
    if wish.allow_pickle:
        import joblib

        with to.stream(PICKLED) as stream:
            joblib.dump(model, stream)
        return Saved("scikit-learn", ("scikit-learn", "joblib", "numpy", "scipy"))
    skops = _skops()
    try:
        with to.stream(AUDITED) as stream:
            stream.write(skops.io.dumps(model))
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        hint = "allow_pickle=True saves it with joblib, whose files execute code when they are loaded"
        raise RegistryError(f"skops cannot save it: {error}", "unsupported", hint) from error
    return Saved("scikit-learn", ("scikit-learn", "skops", "numpy", "scipy"))


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The estimator. UnsafeError for a type nobody vouches for, and for pickle unless it is allowed."""
    if files.has(PICKLED):
        return _unpickled(files, wish)
    skops = _skops()
    data = bytes(files.content(AUDITED))
    refuse(data, AUDITED, files.shown(AUDITED))
    asked = skops.io.get_untrusted_types(data=data)
    foreign = sorted(each for each in asked if each not in HARMLESS and not vouched(each, wish.trusted))
    if foreign:
        listed = ", ".join(foreign[:8])
        hint = f"look at them, and vouch for them: trusted={foreign[:8]!r}"
        raise UnsafeError(f"loading {files.shown(AUDITED)} would build {listed}", "untrusted-class", hint)
    return skops.io.loads(data, trusted=asked)


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise missing("a model of scikit-learn", error) from error
    return skops


def _unpickled(files: Held, wish: Loading) -> Any:
    import io

    import joblib

    data = allowed(files, PICKLED, wish)
    return joblib.load(io.BytesIO(data))


def run(model: Any, example: Any) -> Any:
    """Its prediction, or what it makes of the example where it predicts nothing."""
    return model.predict(example) if hasattr(model, "predict") else model.transform(example)

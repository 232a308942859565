"""A file that is one pickle or several: what was saved, its arrays, and which libraries it refers to."""

from __future__ import annotations

from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Header
from modelyard.formats.numpy_values import Arrays
from modelyard.formats.pickles import Made, Mapping, Reference, Stream, Value, follow
from modelyard.formats.value_walk import arrays, plain

LIBRARIES = {
    "sklearn": "scikit-learn", "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost", "torch": "PyTorch",
    "keras": "Keras", "tensorflow": "TensorFlow", "transformers": "Transformers", "flax": "Flax", "jax": "JAX",
    "gensim": "gensim", "fasttext": "fastText", "spacy": "spaCy", "statsmodels": "statsmodels", "pandas": "pandas",
    "scipy": "SciPy", "numpy": "NumPy", "imblearn": "imbalanced-learn", "lightning": "Lightning",
    "pytorch_lightning": "Lightning", "fastai": "fastai", "implicit": "implicit", "prophet": "Prophet",
}  # fmt: skip
"""Packages that a pickle may refer to, and what people call them."""
LAST = ("numpy", "scipy", "pandas")
"""They stand in everybody's pickles, so that they only tell when nobody else does."""


def pickled(file: File, title: str, load: str, *, partly: bool = False) -> Header:
    """The first stream of a file, followed to its end; as far as it goes when the bytes are known to stop."""
    describe = Arrays()
    notes: list[str] = []
    try:
        stream = follow(file, 0, describe.filled)
    except BrokenError as error:
        if not partly:
            raise
        found = [each for at, made in enumerate(describe.order) for each in describe(made, f"array {at}") or ()]
        note = f"{error}; its arrays are those of the first {file.size:,} bytes"
        return Header(title, tensors=tuple(found), notes=(note,), loads=(load,))
    if stream.end < file.size:
        notes.append(f"{file.size - stream.end:,} bytes lie behind the end of the pickle")
    return Header(
        title,
        f"protocol {stream.protocol}",
        tuple(arrays(stream.value, describe)),
        architecture=_class(stream.value),
        framework=_framework(stream),
        metadata=(*plain(_state(stream.value)), ("refers to", ", ".join(sorted(stream.names)[:64])))[-65:],
        needs=tuple(describe.needs),
        loads=(f"{load}, which runs code: see `modelyard scan`",),
        notes=tuple(notes),
    )


def _state(value: Value) -> Value:
    return value.state if isinstance(value, Made) else value


def _class(value: Value) -> str:
    if not isinstance(value, Made):
        return ""
    made = value.args[0] if value.what.endswith("_reconstructor") and isinstance(value.args, tuple) else None
    return (made.name if isinstance(made, Reference) else value.what).rpartition(".")[2]


def _framework(stream: Stream) -> str:
    packages = {name.partition(".")[0] for name in stream.names}
    ranked = sorted(packages & LIBRARIES.keys(), key=lambda each: (each in LAST, each))
    if not ranked:
        return ""
    state = _state(stream.value)
    version = state.get("_sklearn_version") if ranked[0] == "sklearn" and isinstance(state, Mapping) else None
    return f"{LIBRARIES[ranked[0]]} {version}" if isinstance(version, str) else LIBRARIES[ranked[0]]

"""A `.gitignore` that keeps models out of a repository and what is known of them in."""

from __future__ import annotations

SUFFIXES = {
    "safetensors": ("safetensors", "sft"),
    "GGUF": ("gguf", "imatrix"),
    "PyTorch exported program": ("pt2", "pte"),
    "TorchScript": ("ptl", "torchscript"),
    "PyTorch": ("pt", "pth", "bin", "ckpt", "ckpt_*", "distcp", "mar", "weights", "tdict"),
    "Keras": ("keras",),
    "skops": ("skops",),
    "NumPy arrays": ("npz",),
    "NumPy array": ("npy",),
    "HDF5": ("h5", "hdf5", "hdf"),
    "PyTorch, before 1.6": ("th", "model"),
    "PyTorch, tar": ("tar", "t7"),
    "NeMo": ("nemo", "riva"),
    "archive": ("zip", "tgz", "7z", "dat", "data"),
    "TensorFlow Lite": ("tflite", "lite", "task", "litertlm"),
    "TensorRT engine": ("engine", "plan", "trt"),
    "GGML": ("ggml", "ggmf", "ggjt"),
    "CatBoost": ("cbm",),
    "LightGBM": ("lgb", "lgbm"),
    "XGBoost": ("ubj", "xgb", "bst"),
    "OpenVINO": ("blob",),
    "Core ML package": ("mlpackage", "mlmodelc"),
    "Core ML": ("mlmodel",),
    "TensorFlow checkpoint": ("data-*-of-*", "index", "meta"),
    "TensorFlow SavedModel": ("pb", "tfrecord"),
    "joblib": ("joblib", "jbl"),
    "pickle": ("pkl", "pickle", "pk", "p", "dill", "cpickle", "sav"),
    "packed file": ("gz", "bz2", "xz", "lzma", "zst", "lz4", "br"),
    "ONNX": ("onnx", "onnx.data", "onnx_data", "onnx_data_*", "ort"),
    "Flax msgpack": ("msgpack", "flax", "mpk"),
}
"""What files of a format are called, by the title that its reader has."""
TEXTS = frozenset(("configuration", "tokenizer", "model in several files"))
"""Formats that say what a model is, which stay in."""
TABLES = ("model.txt", "model.xml", "variables/")
"""Names of files and folders, where the ending says nothing."""
KEPT = (
    "metadata.json", "config.json", "*_config.json", "aliases.json", "SHA256SUMS", "tokenizer.json", "vocab.txt",
    "README.md", "LICENSE*", ".gitignore", ".modelyard-registry", "*.index.json", "*.py", "*.md",
)  # fmt: skip
"""What stays in the repository, whatever the lines above say."""
DRAFTS = (".modelyard-version-*/", ".modelyard-draft-*")


def _any_case(suffix: str) -> str:
    """A pattern for an ending in small and large letters."""
    return "".join(f"[{each}{each.upper()}]" if each.islower() else each for each in suffix)


def gitignore() -> str:
    """The text of the file."""
    lines = ["# Models stay out of the repository, what is known of them stays in. Written by modelyard."]
    for title, suffixes in SUFFIXES.items():
        lines += ["", f"# {title}", *(f"*.{_any_case(each)}" for each in suffixes)]
    lines += ["", "# models whose names end like others", *TABLES, "", "# unfinished", *DRAFTS]
    lines += ["", "# kept", *(f"!{each}" for each in KEPT)]
    return "\n".join(lines) + "\n"

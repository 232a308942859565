"""The first bytes by which model files are known, from the formats' own specifications and writers."""

from __future__ import annotations

import re
import struct

HEAD = 65536
"""Bytes of a file's beginning that are looked at."""
MAGIC = (
    (b"GGUF", "GGUF"),
    (b"lmgg", "GGML"),
    (b"fmgg", "GGML"),
    (b"tjgg", "GGML"),
    (b"CBM1", "CatBoost"),
    (b"tree\nversion=v", "LightGBM"),
    (b"\xba\x16\x4f\x2f", "fastText"),
    (b"ptrt", "TensorRT engine"),
    (b"ftrt", "TensorRT engine"),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch, before 1.6"),
)
FRAMEWORKS = re.compile(rb"sklearn|torch|xgboost|lightgbm|catboost|keras|tensorflow|transformers|flax|gensim|fasttext")
LOCAL = rb"(?s)PK\x03\x04.{26}"  # a zip's local header, up to the name of its first member
ZIPPED = (
    (re.compile(LOCAL + rb"[^/\0]{1,200}/(?:data\.pkl|\.format_version|\.data/|byteorder)"), "PyTorch"),
    (re.compile(LOCAL + rb"[^/\0]{1,200}/(?:archive_format|constants\.pkl|code/)"), "PyTorch"),
    (re.compile(LOCAL + rb"[^/\0]{1,200}/data/[\w./]{1,100}FB..Z"), "PyTorch"),  # torch pads members with this field
    (re.compile(LOCAL + rb"(?:metadata\.json|config\.json|model\.weights\.h5)"), "Keras"),
    (re.compile(LOCAL + rb"schema\.json"), "skops"),
)
PRODUCER = rb"\x12[\x01-\x40][\x20-\x7e]+[\x1a\x22\x28\x32\x3a\x42]"
ONNX = re.compile(rb"\x08[\x01-\x14](?:" + PRODUCER + rb"|\x3a[\x80-\xff]+[\x01-\x7f]\x0a)")
SAFETENSORS_LIMIT = 100_000_000  # what the format's own library accepts as a header


def model_format(head: bytes) -> str:
    """The format of a model file by its first bytes, empty for anything else.

    Arrays and tables (.npy, .npz, Parquet, plain HDF5) are data, not models; compressed pickles cannot be told.
    """
    for magic, name in MAGIC:
        if head.startswith(magic):
            return name
    if head[4:8] == b"TFL3":
        return "TFLite"
    if _is_safetensors(head):
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return next((name for pattern, name in ZIPPED if pattern.match(head)), "")
    return _by_words(head)


def _by_words(head: bytes) -> str:
    """Containers of anything, which are models when the names of a framework stand in them."""
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and FRAMEWORKS.search(head):
        return "pickle"
    if head.startswith(b"\x89HDF\r\n\x1a\n") and re.search(rb"model_weights|layer_names|keras_version", head):
        return "Keras HDF5"
    if head.startswith(b"{L") and b"learner" in head[:64]:
        return "XGBoost"
    if head[257:262] == b"ustar" and re.match(rb"(?:\./)?model_(?:config\.yaml|weights)", head):
        return "NeMo"
    return "ONNX" if ONNX.match(head) else ""


def _is_safetensors(head: bytes) -> bool:
    if len(head) < 10:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return 2 <= length <= SAFETENSORS_LIMIT and head[8:10] in (b'{"', b"{}", b"{ ")

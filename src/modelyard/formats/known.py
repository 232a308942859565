"""Every format that modelyard reads: one module each, listed here, the more particular ones first."""

from __future__ import annotations

from modelyard.formats import (
    archive,
    catboost,
    compressed,
    config,
    coreml,
    coreml_package,
    flax,
    ggml,
    gguf,
    hdf5_file,
    joblib_file,
    keras_zip,
    lightgbm,
    nemo,
    npy,
    npz,
    onnx_file,
    openvino,
    pickle_file,
    pt2,
    safetensors,
    saved_model,
    shards,
    skops,
    tensorrt,
    tf_checkpoint,
    tflite,
    tokenizer,
    torch_legacy,
    torch_tar,
    torch_zip,
    torchscript,
    xgboost,
)
from modelyard.formats.file import BrokenError, File, Meter, looked_into, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import LENGTH, Format, Head
from modelyard.formats.tables import is_table
from modelyard.formats.tars import entries, is_tar
from modelyard.formats.zips import directory, is_zip
from modelyard.problem import Problem

FORMATS: tuple[Format, ...] = (
    safetensors,
    gguf,
    pt2,
    torchscript,
    torch_zip,
    keras_zip,
    skops,
    npz,
    npy,
    hdf5_file,
    torch_legacy,
    torch_tar,
    nemo,
    archive,
    tflite,
    tensorrt,
    ggml,
    catboost,
    lightgbm,
    xgboost,
    openvino,
    shards,
    tokenizer,
    coreml_package,
    config,
    tf_checkpoint,
    joblib_file,
    pickle_file,
    compressed,
)
GUESSES: tuple[Format, ...] = (coreml, saved_model, onnx_file, flax)
"""Formats without a magic: the first one that can be read to its end is it."""


def head_of(file: File) -> Head:
    """What formats are told apart by. BrokenError for an archive that cannot be listed."""
    data = file.head(LENGTH)
    names: tuple[str, ...] = ()
    if is_zip(data):
        names = tuple(each.name for each in directory(file).members)
    elif is_tar(data):
        names = tuple(each.name for each in entries(file)[0])
    return Head(data, names, is_table(file))


@told
def _read(file: File) -> Header:
    head = head_of(file)
    found: Header | Problem = Problem(file.name, "unknown", "is no model file of a format that is known")
    sure = next((each for each in FORMATS if each.sniff(head)), None)
    for each in (sure,) if sure else [each for each in GUESSES if each.sniff(head)]:
        found = each.read(file)
        if isinstance(found, Header):
            return found
    if isinstance(found, Problem):
        raise BrokenError(found.message, found.code)
    return found


def read_header(path: str, meter: Meter | None = None) -> Header | Problem:
    """The header of a file, by content and never by its name. Reads headers and pickle streams, no tensors.

    `meter` counts the bytes that were read, those of files that it needs among them.
    """
    with looked_into(path, meter) as file:
        if isinstance(file, Problem):
            return file
        file.reader = _read
        return _read(file)

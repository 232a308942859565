"""Pickles in attributes of HDF5, which PyTables reads as such, and what an `MLmodel` file of MLflow runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelyard.safety.finding import Scanned
from safety.judged import codes, scanned
from safety.payloads import name, stream, system


def old_style(folder: Path) -> bytes:
    """An attack of protocol 0, which holds no NUL."""
    return name("os", "system") + f"(S'touch {folder / 'marker'}'\ntR.".encode()


def hdf5(folder: Path, value: object, *, deep: bool = False, libver: str = "earliest") -> bytes:
    """A file with one attribute, at its root or at an array below."""
    with h5py.File(folder / "made.h5", "w", libver=(libver, "latest")) as file:
        place = file.create_group("data").create_dataset("rows", data=[1.0, 2.0]) if deep else file
        place.attrs["TITLE"] = np.bytes_(b"A title that ends with a dot.")
        place.attrs["note"] = value
    return (folder / "made.h5").read_bytes()


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_in_an_attribute_runs_when_pytables_reads_it(tmp_path: Path, protocol: int, deep: bool) -> None:
    evil = old_style(tmp_path) if not protocol else stream(system(tmp_path / "marker"), protocol=protocol)
    for value in (np.bytes_(evil), np.bytes_(evil) if protocol else evil.decode()):
        told = scanned(tmp_path, hdf5(tmp_path, value, deep=deep), "frame.h5")
        assert told.verdict == "dangerous" and "dangerous-call" in codes(told), told
        assert any(each.member == "@note" for each in told.findings)


def test_a_pickle_in_an_attribute_behind_a_long_text(tmp_path: Path) -> None:
    for length, verdict in ((2 << 20, "dangerous"), (17 << 20, "unknown")):
        with h5py.File(tmp_path / "made.h5", "w") as file:
            text = b"S'" + b"x" * length + b"'\n0" + old_style(tmp_path)
            file.attrs.create("note", text, dtype=h5py.string_dtype("ascii"))
        assert scanned(tmp_path, (tmp_path / "made.h5").read_bytes(), "frame.h5").verdict == verdict


def test_what_pytables_and_pandas_write_is_safe(tmp_path: Path) -> None:
    for value in (np.bytes_(pickle.dumps(["a", None, 3], 0)), np.bytes_(pickle.dumps({"freq": None}, 0)),
                  np.bytes_(b"0."), "1.", np.bytes_(b"Weights of a net, all of them."), 7):  # fmt: skip
        told = scanned(tmp_path, hdf5(tmp_path, value), "frame.h5")
        assert told.findings == (), (value, told)


def test_an_attribute_that_needs_own_code_is_suspicious(tmp_path: Path) -> None:
    told = scanned(tmp_path, hdf5(tmp_path, np.bytes_(name("acme.frames", "Meta") + b".")), "frame.h5")
    assert (told.verdict, codes(told)) == ("suspicious", {"unvetted-name"})


def pickled_rows(folder: Path, rows: list[bytes], kind: type = np.uint8, packed: str | None = None) -> Scanned:
    """A scan of an array of objects as PyTables writes it: rows of bytes, of any length, in chunks."""
    how = {"maxshape": (None,), "chunks": (3,), "compression": packed}
    with h5py.File(folder / "made.h5", "w") as file:
        made = file.create_dataset("rows", (len(rows),), h5py.vlen_dtype(kind), **how)
        made.attrs["PSEUDOATOM"] = np.bytes_(b"object")
        for at, row in enumerate(rows):
            made[at] = np.frombuffer(row, kind)
    return scanned(folder, (folder / "made.h5").read_bytes(), "frame.h5")


@pytest.mark.parametrize("packed", [None, "gzip"])
def test_rows_that_are_pickles_are_followed(tmp_path: Path, packed: str | None) -> None:
    """As pandas keeps a column of texts; the one row in ten that is an attack is found in its place."""
    honest = [pickle.dumps(np.array(["x", None, {"a": at}], dtype=object)) for at in range(9)]
    assert pickled_rows(tmp_path, [*honest, b""], packed=packed).findings == ()
    assert pickled_rows(tmp_path, [*honest, b"x" * 9], packed=packed).verdict == "unknown"
    evil = stream(system(tmp_path / "marker"))
    told = pickled_rows(tmp_path, [*honest, evil], packed=packed)
    assert told.verdict == "dangerous" and {each.member for each in told.findings} == {"row 10"}
    long = pickle.dumps(bytes(3 << 20)).removesuffix(b".") + b"0" + evil
    assert pickled_rows(tmp_path, [long], packed=packed).verdict == "dangerous"


def test_rows_that_readers_turn_around_are_never_safe(tmp_path: Path) -> None:
    for kind in (np.int16, np.float64):
        assert pickled_rows(tmp_path, [bytes(16)], kind).verdict == "unknown"
    assert pickled_rows(tmp_path, [b"N."], packed="lzf").verdict == "unknown"


def test_attributes_and_rows_that_are_not_followed_are_unknown(tmp_path: Path) -> None:
    rows = scanned(tmp_path, hdf5(tmp_path, np.bytes_(b"object")), "frame.h5")
    assert rows.findings == ()
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file.create_dataset("rows", data=[1]).attrs["PSEUDOATOM"] = np.bytes_(b"object")
    assert scanned(tmp_path, (tmp_path / "made.h5").read_bytes(), "frame.h5").verdict == "unknown"
    with h5py.File(tmp_path / "made.h5", "w", libver="latest") as file:
        for number in range(20):
            file.attrs[f"a{number}"] = np.bytes_(b"x")
    told = scanned(tmp_path, (tmp_path / "made.h5").read_bytes(), "frame.h5")
    assert (told.verdict, codes(told)) == ("unknown", {"unsupported"})


MLMODEL = """artifact_path: model
flavors:
  python_function:
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: {loader}
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.12.3
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
mlflow_version: 3.4.0
"""


@pytest.mark.parametrize(
    ("text", "verdict", "code"),
    [
        (MLMODEL.format(loader="mlflow.sklearn"), "safe", ""),
        (MLMODEL.format(loader="'mlflow.pyfunc.model'"), "safe", ""),
        (MLMODEL.format(loader="acme.loading"), "suspicious", "remote-code"),
        (MLMODEL.format(loader="mlflow.sklearn.evil"), "suspicious", "remote-code"),
        (MLMODEL.format(loader="mlflow_evil"), "suspicious", "remote-code"),
        (MLMODEL.format(loader="runpy"), "dangerous", "dangerous-name"),
        (MLMODEL.format(loader='"\\x72unpy"'), "dangerous", "dangerous-name"),
        (MLMODEL.format(loader="&a runpy"), "dangerous", "dangerous-name"),
        (MLMODEL.format(loader="\n      runpy"), "suspicious", "computed-name"),
        (MLMODEL.format(loader="*other"), "suspicious", "computed-name"),
        (MLMODEL.format(loader="mlflow.sklearn").replace("code: null", "code: code"), "suspicious", "remote-code"),
        ('{"flavors": {"python_function": {"loader_module": "acme", "env": "e"}}}', "suspicious", "remote-code"),
        (MLMODEL.format(loader="mlflow.pyfunc.model") + "model_code_path: m.py\n", "suspicious", "remote-code"),
        (MLMODEL.format(loader="mlflow.sklearn") + "a: !!python/object/apply:os.system [id]\n", "dangerous",
         "dangerous-name"),
    ],
)  # fmt: skip
def test_what_an_mlmodel_file_imports_and_runs(tmp_path: Path, text: str, verdict: str, code: str) -> None:
    told = scanned(tmp_path, text.encode(), "MLmodel")
    assert (told.verdict, codes(told)) == (verdict, {code} - {""}), told
    assert told.format == "MLflow model"

"""No false alarms: what the real frameworks write is safe, or at worst needs code that nobody vetted."""

from __future__ import annotations

import collections
import contextlib
import datetime
import decimal
import fractions
import inspect
import pathlib
import pickle
import re
import uuid
import warnings
import zoneinfo
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.interpolate
import scipy.sparse
import scipy.spatial
import torch
import xgboost
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import all_estimators
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch.distributed.checkpoint.state_dict_saver import save
from transformers import BertConfig, TrainingArguments

from modelyard.safety.files import scan_file
from modelyard.safety.finding import Scanned

ROWS = np.abs(np.random.RandomState(0).rand(60, 6))
CLASSES = (ROWS[:, 0] > 0.5).astype(int)
NEEDED = {
    "estimator": LogisticRegression(), "estimators": [("a", LogisticRegression()), ("b", LogisticRegression())],
    "transformers": [("a", "passthrough", [0])], "transformer_list": [("a", "passthrough")],
    "steps": [("a", LogisticRegression())], "param_grid": {"C": [1, 2]}, "param_distributions": {"C": [1, 2]},
}  # fmt: skip
WORDS = ("Vectorizer",)
PACKED = (("zlib", 3), ("gzip", 3), ("xz", 1))
FEW = {"n_estimators": 3}
"""A model of three trees holds what one of a hundred holds."""


def _written(path: Path, thing: object, packed: tuple[tuple[str, int], ...] = PACKED) -> Iterator[Scanned]:
    """A thing in every protocol that can hold it, and as joblib writes it."""
    for protocol in range(6):
        try:
            path.write_bytes(pickle.dumps(thing, protocol))
        except (TypeError, ValueError, pickle.PicklingError):
            continue
        yield scan_file(str(path))
    for compress in (0, *packed):
        joblib.dump(thing, path, compress=compress)
        yield scan_file(str(path))


def estimators() -> Iterator[object]:
    """Every estimator of scikit-learn, fitted where it can be on plain numbers."""
    for name, kind in all_estimators():
        asked = inspect.signature(kind.__init__).parameters
        given = {key: value for key, value in NEEDED.items() if key in asked and asked[key].default is inspect._empty}
        given |= {key: few for key, few in FEW.items() if key in asked}
        if "Regress" in name and "estimator" in given:
            given["estimator"] = Ridge()
        try:
            made = kind(**given)
        except TypeError:
            continue
        with contextlib.suppress(ValueError, TypeError, AttributeError, IndexError, NotFittedError):
            made.fit(["a few words", "and some more"] * 30 if name.endswith(WORDS) else ROWS, CLASSES)
        yield made  # unfitted it is a model all the same


@pytest.mark.filterwarnings("ignore")
def test_every_estimator_of_scikit_learn_is_safe(tmp_path: Path) -> None:
    verdicts: Counter[str] = Counter()
    with threadpool_limits(1):  # many threads for sixty rows only wait for each other
        for number, made in enumerate(estimators()):
            packed = PACKED[number % len(PACKED) :][:1]  # every packing, not every one of every estimator
            for told in _written(tmp_path / "m.joblib", made, packed):
                verdicts[told.verdict] += 1
                assert told.verdict == "safe", (made, told.findings[:3])
    assert verdicts["safe"] > 1500


def things() -> dict[str, object]:
    """What else lies in the files of people."""
    model = xgboost.XGBClassifier(n_estimators=2).fit(ROWS, CLASSES)
    boosted = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(ROWS, CLASSES)
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": pd.Categorical(["u", "v"]),
                          "d": pd.to_datetime(["2020", "2021"]), "e": pd.array([1, None], dtype="Int64"),
                          "f": pd.array(["a", None], dtype="string"), "g": pd.interval_range(0, 2),
                          "h": pd.period_range("2020", periods=2, freq="M"),
                          "i": pd.date_range("2020", periods=2, tz="Europe/Berlin")})  # fmt: skip
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    return {
        "xgboost": model, "booster": model.get_booster(), "lightgbm": boosted, "lightgbm booster": boosted.booster_,
        "catboost": catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False).fit(ROWS, CLASSES),
        "frame": frame, "series": pd.Series([1.5], index=pd.MultiIndex.from_tuples([(1, 2)])),
        "index": [pd.to_timedelta([1, 2], unit="s"), pd.interval_range(0, 2), pd.NA, pd.NaT, pd.Interval(0, 1),
                  pd.Timestamp("2020", tz=berlin), pd.DateOffset(months=1)],
        "sparse": [scipy.sparse.csr_matrix(ROWS), scipy.sparse.coo_array(ROWS)],
        "tree": scipy.spatial.cKDTree(ROWS), "spline": scipy.interpolate.CubicSpline([1, 2, 3], [1, 2, 3]),
        "arrays": [ROWS, np.array([{"a": 1}, None], dtype=object), np.ma.masked_array([1, 2], [False, True]),
                   np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), np.dtype("f8"), np.float64(3)],
        "random": [np.random.RandomState(0), np.random.default_rng(0)],
        "zones": [datetime.datetime.now(berlin), berlin],
        "values": [datetime.datetime.now(datetime.UTC), collections.Counter("aab"), collections.deque([1], 3),
                   collections.defaultdict(list, {1: [2]}), uuid.uuid4(), pathlib.Path("x"), decimal.Decimal("1.5"),
                   fractions.Fraction(1, 3), re.compile("a"), {1, 2}, frozenset([1]), 1j, bytearray(b"x"), range(3),
                   slice(1, 2), ..., NotImplemented, ValueError("x"), int, np.float32, type(None)],
    }  # fmt: skip


def test_other_frameworks_and_plain_values_are_safe(tmp_path: Path) -> None:
    for name, thing in things().items():
        for told in _written(tmp_path / "m.pkl", thing):
            assert told.verdict == "safe", (name, told.findings[:3])


def test_a_method_that_is_kept_is_suspicious_at_worst(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thing = scipy.interpolate.interp1d([1, 2, 3], [1, 2, 3])
    assert {told.verdict for told in _written(tmp_path / "m.pkl", thing)} <= {"safe", "suspicious"}


def torch_things() -> dict[str, object]:
    layers = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.LSTM(8, 8), torch.nn.Conv2d(1, 1, 1), torch.nn.GRU(3, 3),
        torch.nn.BatchNorm2d(1), torch.nn.TransformerEncoderLayer(8, 2), torch.nn.Embedding(5, 5),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(layers.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    return {
        "weights": layers.state_dict(), "module": layers, "optimizer": optimizer, "schedule": schedule,
        "checkpoint": {"model": layers.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
                       "random": torch.get_rng_state(), "numpy": np.random.get_state()},
        "quantised": torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8),
        "sparse": torch.randn(3, 3).to_sparse(), "parameter": torch.nn.Parameter(torch.zeros(3)),
        "types": [torch.zeros(2, dtype=each) for each in (torch.bfloat16, torch.float8_e4m3fn, torch.complex64)],
        "arguments": TrainingArguments(output_dir="unused", report_to=[]), "config": BertConfig(),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_what_torch_writes_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    for name, thing in torch_things().items():
        for new in (True, False):
            for protocol in (2, 4):
                torch.save(thing, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
                told = scan_file(str(path))
                assert told.verdict == "safe", (name, new, protocol, told.findings[:3])


@pytest.mark.filterwarnings("ignore")
def test_a_distributed_checkpoint_is_safe(tmp_path: Path) -> None:
    save(torch_things()["checkpoint"], checkpoint_id=tmp_path / "run", no_dist=True)
    found = {each.name: scan_file(str(each)).findings for each in (tmp_path / "run").iterdir()}
    assert found == {".metadata": (), "__0_0.distcp": ()}


@pytest.mark.filterwarnings("ignore")
def test_scripts_and_exported_programs_are_safe(tmp_path: Path) -> None:
    torch.manual_seed(1)
    linear = torch.nn.Linear(2, 2)
    torch.jit.script(linear).save(str(tmp_path / "m.pt"))  # type: ignore[no-untyped-call]
    for first in (0x80, 0x1F, 0x78, 0x08, 0x50):  # weights are bytes like any other, and may begin like something else
        linear.weight.data.view(torch.uint8).flatten()[0] = first
        torch.export.save(torch.export.export(linear, (torch.zeros(1, 2),)), tmp_path / "m.pt2")
        assert scan_file(str(tmp_path / "m.pt2")).verdict == "safe"
    assert scan_file(str(tmp_path / "m.pt")) == Scanned(str(tmp_path / "m.pt"), "TorchScript")
    traced = torch.jit.trace(linear, torch.zeros(1, 2))  # type: ignore[no-untyped-call]
    traced.save(str(tmp_path / "m.pt"))  # with a pickle of the inputs that it was traced with
    assert scan_file(str(tmp_path / "m.pt")) == Scanned(str(tmp_path / "m.pt"), "TorchScript")


def test_an_array_that_was_mapped_is_suspicious_at_worst(tmp_path: Path) -> None:
    """As parallel fits leave them: `numpy.memmap` is named, and never called."""
    mapped = np.memmap(tmp_path / "rows", dtype="f4", mode="w+", shape=(3,))
    for told in _written(tmp_path / "m.joblib", {"rows": mapped}):
        assert {each.code for each in told.findings} == {"unvetted-name"}


def test_ordinary_files_are_no_business_of_a_scan(tmp_path: Path) -> None:
    ordinary = {
        "TAGS.txt": b"content.language.hu\ncontent.language.id\ncontent.language.it\n",
        "pruned.txt": b"conv1.weight:[32, 3, 3]***" * 400, "commands.txt": b"cos\nsystem\ncd\nls\n",
        "README.md": b"import os\nclass X:\n    pass\n", "notes.txt": b"class of\nsystems\nare words.\n",
        "a.json": b'{"a": 1}', "empty": b"", "one": b".", "two": b"N.", "vocab.txt": b"[PAD]\n[UNK]\n",
        "m.png": b"\x89PNG\r\n\x1a\n" + bytes(64), "merges.txt": b"#version: 0.2\n\xc4\xa0 t\n", "a.csv": b"a,b\n1,2\n",
    }  # fmt: skip
    for name, data in ordinary.items():
        (tmp_path / name).write_bytes(data)
        assert scan_file(str(tmp_path / name)).verdict == "safe", name

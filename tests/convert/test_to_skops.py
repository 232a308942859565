"""`--to skops`: pickles of scikit-learn rewritten without unpickling; the real skops makes the same model of them."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import joblib
import numpy
import pytest
import scipy.sparse
import skops.io
from sklearn.cluster import Birch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from skops.io.exceptions import UnsupportedTypeException

from convert.checks import converted, damaged_on_their_way, refused
from modelyard.api.converting import Wish
from modelyard.apply.disk import Disk
from modelyard.safety.files import scan_file
from safety.test_benign import CLASSES, ROWS, WORDS, estimators

SKOPS = Wish(to="skops")
METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
RANDOM = ("BernoulliRBM",)
"""Whose answers differ from call to call."""
pytestmark = pytest.mark.filterwarnings("ignore")


def answers(model: object, rows: object) -> dict[str, object]:
    """What a model says, by method; the name of the error where it says nothing."""
    found: dict[str, object] = {}
    for name in METHODS:
        try:
            said = getattr(model, name)(rows)
        except Exception as error:  # noqa: BLE001 - whatever the original raises, the copy has to raise
            found[name] = type(error).__name__
        else:
            found[name] = numpy.asarray(said.toarray() if hasattr(said, "toarray") else said)
    return found


def same(one: object, other: object) -> bool:
    """Whether two answers are equal; floats but for the last bits, which depend on where in memory an array lies."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    first, second = numpy.asarray(one), numpy.asarray(other)
    if first.dtype.kind == "f" and first.shape == second.shape:
        return numpy.allclose(first, second, rtol=1e-9, atol=1e-12, equal_nan=True)
    return numpy.array_equal(first, second)


def loaded(path: Path) -> object:
    """What skops makes of a file when everything in it is trusted."""
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def written(thing: object, path: Path, joblibbed: bool) -> Path:
    """A thing as people save it."""
    if joblibbed:
        joblib.dump(thing, path)
    else:
        path.write_bytes(pickle.dumps(thing, 5))
    return path


def test_every_estimator_that_skops_supports(home: Path) -> None:
    done, unsupported = 0, []
    for at, made in enumerate(estimators()):
        name = type(made).__name__
        source = written(made, home / f"{name}.bin", bool(at % 2))
        if isinstance(made, Birch):
            with pytest.raises(UnsupportedTypeException):
                skops.io.dumps(made)
            unsupported.append(refused(source, SKOPS))
            continue
        converted(source, SKOPS)
        rows = ["some words", "and more"] if name.endswith(WORDS) else ROWS
        before, after = answers(made, rows), answers(loaded(home / f"{name}.skops"), rows)
        for method, said in before.items() if name not in RANDOM else ():
            assert same(said, after[method]), (name, method)
        done += 1
    assert done > 200
    assert len(unsupported) == 1


@pytest.mark.parametrize("joblibbed", [True, False])
def test_everything_that_lies_in_an_estimator(joblibbed: bool, home: Path) -> None:
    shared = numpy.arange(6.0).reshape(2, 3)
    things = {
        "numbers": [1, -5, 2**70, 1.5, True, None, float("inf"), "größe 漢\n"], "tuple": (1, (2, [])), "set": {1, 2},
        "keys": {1: "a", 2.5: "b", numpy.int64(7): "c"}, "ordered": OrderedDict([("b", 1), ("a", 2)]),
        "default": defaultdict(list, {"x": [1]}), "slice": slice(1, None, 2), "kind": numpy.float32,
        "dtype": numpy.dtype("<i4"),
        "scalar": numpy.float64(2.5), "truth": numpy.bool_(True), "shared": shared, "again": shared,
        "columns": numpy.asfortranarray(numpy.arange(30).reshape(5, 6)), "texts": numpy.array(["ab", "c"]),
        "turned": numpy.arange(4, dtype=">i4"), "nothing": numpy.zeros((0, 3)), "one": numpy.array(3),
        "objects": numpy.array([{"a": 1}, None, "x"], dtype=object),
        "table": numpy.array([[1, "a"], [2, None]], dtype=object),
        "masked": numpy.ma.masked_array([1.0, 2.0], [False, True]), "function": numpy.sqrt,
        "record": numpy.array([(1, 2.5)], dtype=numpy.dtype([("a", "i1"), ("b", "f8")], align=True)),
        "sparse": scipy.sparse.csr_matrix([[0, 1], [2, 0]]), "sparser": scipy.sparse.csc_array([[0, 1.5]]),
    }  # fmt: skip
    model = LogisticRegression().fit(ROWS, CLASSES)
    model.extra_, model.random_, model.newer_ = things, numpy.random.RandomState(3), numpy.random.default_rng(5)
    converted(written(model, home / "m.bin", joblibbed), SKOPS)
    found = loaded(home / "m.skops")
    extra = found.extra_  # type: ignore[attr-defined]
    assert list(extra) == list(things)
    for name, thing in things.items():
        if scipy.sparse.issparse(thing):
            assert (type(extra[name]), extra[name].toarray().tolist()) == (type(thing), thing.toarray().tolist())
        elif isinstance(thing, numpy.ndarray | numpy.generic):
            assert (extra[name].dtype, extra[name].shape) == (thing.dtype, thing.shape), name
            assert extra[name].tolist() == thing.tolist(), name
        else:
            assert (type(extra[name]), extra[name]) == (type(thing), thing), name
    assert joblibbed or extra["shared"] is extra["again"], "joblib writes an array as often as it is used"
    assert extra["default"].default_factory is list
    assert found.random_.rand() == model.random_.rand()  # type: ignore[attr-defined]
    assert found.newer_.random() == model.newer_.random()  # type: ignore[attr-defined]


def test_the_receipt_and_the_archive(home: Path) -> None:
    model = RandomForestClassifier(3).fit(ROWS, CLASSES)
    joblib.dump(model, home / "m.joblib")
    found = converted(home / "m.joblib", SKOPS)
    assert any("trusted" in each and "Tree" in each for each in found.notes)
    with zipfile.ZipFile(home / "m.skops") as archive:
        assert archive.testzip() is None
        schema = json.loads(archive.read("schema.json"))
        arrays = [name for name in archive.namelist() if name.endswith(".npy")]
    assert schema["protocol"] == skops.io._protocol.PROTOCOL, "skops has new nodes: look at them"
    assert (found.tensors, found.format) == (len(arrays), "joblib")
    assert scan_file(str(home / "m.skops")).verdict == "safe"
    before = (home / "m.skops").read_bytes()
    (home / "m.skops").unlink()
    converted(home / "m.joblib", SKOPS)
    assert (home / "m.skops").read_bytes() == before, "the same source gives the same bytes"


class Mine:
    """A class that nobody vetted."""


class Payload:
    """What a pickle can do to whoever loads it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (f"touch {self.marker}",))


@pytest.mark.parametrize(
    ("thing", "word"),
    [
        (Mine(), "test_to_skops.Mine"), (frozenset([1]), "frozenset"), (b"raw", "bytes"), ({None: 1}, "keys"),
        ({1: 1, "1": 2}, "keys"), (1j, "complex"), ("x" * 5000, "letters"), (numpy.array(["2020"], "M8[D]"), "M8"),
        (numpy.array([1], "m8[s]"), "m8"), (len, "len"), (scipy.sparse.lil_matrix([[1]]), "lil"),
    ],
    ids=lambda each: each if isinstance(each, str) and len(each) < 40 else type(each).__name__,
)  # fmt: skip
def test_what_cannot_be_expressed_is_named_with_its_place(thing: object, word: str, home: Path) -> None:
    model = LogisticRegression()
    model.odd = thing
    (home / "m.pkl").write_bytes(pickle.dumps(model))
    wrong = refused(home / "m.pkl", SKOPS)
    assert word in wrong.message
    assert wrong.code in ("unsupported", "dangerous")


def test_hostile_pickles_run_nothing(home: Path) -> None:
    marker = home / "ran"
    model = LogisticRegression()
    model.odd = Payload(marker)
    (home / "m.pkl").write_bytes(pickle.dumps(model))
    assert refused(home / "m.pkl", SKOPS).code == "dangerous"
    (home / "n.pkl").write_bytes(pickle.dumps(LogisticRegression()) + pickle.dumps(Payload(marker)))
    assert refused(home / "n.pkl", SKOPS).code in ("dangerous", "odd")
    (home / "o.pkl").write_bytes(pickle.dumps(LogisticRegression()) + b"more")
    assert refused(home / "o.pkl", SKOPS).code in ("dangerous", "odd")
    loop: list[object] = []
    loop.append(loop)
    (home / "l.pkl").write_bytes(pickle.dumps(loop))
    assert refused(home / "l.pkl", SKOPS).code == "too-deep"
    bomb: list[object] = []
    for _ in range(30):
        bomb = [bomb, bomb]
    (home / "b.pkl").write_bytes(pickle.dumps(bomb))
    assert refused(home / "b.pkl", SKOPS).code == "too-deep"
    assert not marker.exists()


def test_truncated_at_every_place(home: Path) -> None:
    for joblibbed in (True, False):
        data = written(LogisticRegression().fit(ROWS, CLASSES), home / "m.bin", joblibbed).read_bytes()
        for length in range(0, len(data), len(data) // 40):
            (home / "m.bin").write_bytes(data[:length])
            assert refused(home / "m.bin", SKOPS).code in (
                "truncated",
                "unknown",
                "damaged",
                "unsupported",
                "dangerous",
            )


def test_packed_joblib_and_other_formats(home: Path) -> None:
    joblib.dump(LogisticRegression(), home / "m.joblib", compress=3)
    assert refused(home / "m.joblib", SKOPS).code == "unsupported"
    numpy.save(home / "m.npy", ROWS)
    assert refused(home / "m.npy", SKOPS).code == "unsupported"
    (home / "p.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(ROWS, CLASSES), 2))
    assert refused(home / "p.pkl", SKOPS).code == "packed"


def test_a_copy_that_is_not_equal_never_gets_its_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump(LogisticRegression().fit(ROWS, CLASSES), home / "m.joblib")
    damaged_on_their_way(monkeypatch)
    assert refused(home / "m.joblib", SKOPS).code == "unequal"


def test_the_source_changed_while_it_was_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump(LogisticRegression().fit(ROWS, CLASSES), home / "m.joblib")
    real = Disk.put

    def meanwhile(self: Disk, descriptor: int, data: bytes, at: int) -> None:
        os.utime(home / "m.joblib", ns=(1, 1))
        real(self, descriptor, data, at)

    monkeypatch.setattr(Disk, "put", meanwhile)
    assert refused(home / "m.joblib", SKOPS).code == "changed"


@pytest.mark.parametrize("joblibbed", [True, False])
def test_tables_of_objects_keep_their_own_sides(joblibbed: bool, home: Path) -> None:
    """Sides are made while nodes are written: one that is gone gives its identity to the next."""
    model = LogisticRegression().fit(ROWS, CLASSES)
    model.tables_ = [
        numpy.array([["x", at, row] for row in range(1 + at % 7)][: 1 + at % 7], dtype=object) for at in range(60)
    ]
    model.rows_ = [numpy.array(["x"] * (1 + at % 5), dtype=object) for at in range(60)]
    converted(written(model, home / "m.bin", joblibbed), SKOPS)
    found = loaded(home / "m.skops")
    for name in ("tables_", "rows_"):
        sides = [each.shape for each in getattr(found, name)]
        assert sides == [each.shape for each in getattr(model, name)]

"""Pickles of every protocol, joblib with every packer, and numpy's own files."""

from __future__ import annotations

import pickle
from pathlib import Path

import joblib
import numpy
import pytest
import sklearn
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from formats.checks import by_name, header, holds, problem

PACKERS = ("zlib", "gzip", "bz2", "lzma", "xz", "lz4")


def fitted() -> LogisticRegression:
    """A small estimator that learned something."""
    points = numpy.random.default_rng(1).random((40, 300))
    return LogisticRegression().fit(points, points[:, 0] > 0.5)


def test_joblib_leaves_arrays_where_they_can_be_read(home: Path) -> None:
    made = fitted()
    joblib.dump(made, home / "m")
    found = header(home / "m")
    assert (found.format, found.architecture) == ("joblib", "LogisticRegression")
    assert found.framework == f"scikit-learn {sklearn.__version__}"
    attributes = ("coef_", "classes_", "intercept_", "n_iter_")
    holds(home / "m", found, {name: getattr(made, name) for name in attributes})


@pytest.mark.parametrize("packer", PACKERS)
def test_joblib_packed(packer: str, home: Path) -> None:
    joblib.dump(fitted(), home / "m", compress=(packer, 3))
    found = header(home / "m")
    assert found.architecture == "LogisticRegression"
    assert by_name(found)["coef_"].shape == (1, 300)
    assert by_name(found)["coef_"].offset is None


@pytest.mark.parametrize("packer", PACKERS)
def test_joblib_packed_and_larger_than_what_is_unpacked(packer: str, home: Path) -> None:
    joblib.dump(
        {"w": numpy.random.default_rng(1).random(1_000_000), "v": numpy.ones(3)}, home / "m", compress=(packer, 1)
    )
    found = header(home / "m")
    assert [each.shape for each in found.tensors] == [(1_000_000,)]
    assert any("were unpacked" in note for note in found.notes)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(protocol: int, home: Path) -> None:
    made = make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(numpy.eye(30), numpy.arange(30) % 2)
    (home / "m").write_bytes(pickle.dumps(made, protocol))
    found = header(home / "m")
    assert (found.format, found.architecture) == ("pickle", "Pipeline")
    assert found.framework == f"scikit-learn {sklearn.__version__}"
    assert by_name(found)["steps.0.1.mean_"].shape == (30,)
    assert by_name(found)["steps.1.1.estimators_.2.tree_.values"].dtype == "F64"


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_in_a_pickle_lie_where_the_header_says(protocol: int, home: Path) -> None:
    arrays = {
        "a": numpy.arange(500.0),
        "b": numpy.arange(3),
        "f": numpy.asfortranarray(numpy.arange(600.0).reshape(20, 30)),
    }
    (home / "m").write_bytes(pickle.dumps(arrays, protocol))
    holds(home / "m", header(home / "m"), arrays)


def test_arrays_of_objects_are_pickles_in_a_pickle(home: Path) -> None:
    inner = numpy.array([numpy.arange(5.0), numpy.arange(6.0)], dtype=object)
    joblib.dump({"objects": inner, "after": numpy.arange(1000)}, home / "m")
    assert by_name(header(home / "m"))["after"].shape == (1000,)


def test_npy_and_npz(home: Path) -> None:
    turned = numpy.asfortranarray(numpy.arange(12).reshape(3, 4))
    numpy.save(home / "a.npy", turned)
    numpy.savez(home / "s.npz", a=turned, b=numpy.arange(5.0))
    numpy.savez_compressed(home / "p.npz", a=turned)
    holds(home / "a.npy", header(home / "a.npy"), {"": turned})
    holds(home / "s.npz", header(home / "s.npz"), {"a": turned, "b": numpy.arange(5.0)})
    assert by_name(header(home / "p.npz"))["a"].offset is None
    numpy.save(home / "o.npy", numpy.array([{}, 1], dtype=object), allow_pickle=True)
    assert "allow_pickle=True" in header(home / "o.npy").loads[0]
    numpy.save(home / "r.npy", numpy.zeros(3, dtype=[("a", "<f4"), ("b", "<i8")]))
    assert header(home / "r.npy").tensors[0].bytes == 36


def test_skops(home: Path) -> None:
    made = fitted()
    skops.io.dump(made, home / "m")
    found = header(home / "m")
    assert (found.format, found.architecture, found.framework) == ("skops", "LogisticRegression", "scikit-learn")
    attributes = ("coef_", "classes_", "intercept_", "n_iter_")
    holds(home / "m", found, {name: getattr(made, name) for name in attributes})


def test_nothing_in_a_pickle_is_run(home: Path) -> None:
    """A call that would leave a file behind is described and leaves none."""
    (home / "m").write_bytes(b"cos\nsystem\n(S'touch " + bytes(home) + b"/touched'\ntR.")
    found = header(home / "m")
    assert dict(found.metadata)["refers to"] == "os.system"
    assert not (home / "touched").exists()


def test_truncated(home: Path) -> None:
    joblib.dump(fitted(), home / "j")
    (home / "p").write_bytes(pickle.dumps(fitted()))
    for path in (home / "j", home / "p"):
        path.write_bytes(path.read_bytes()[:-50])
        assert problem(path).code == "truncated"

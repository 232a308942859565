"""`--to onnx`: exported programs and estimators, loaded apart after a scan, and compared with what was written."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy
import onnx
import onnxruntime
import pytest
import skops.io
import torch
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from convert.checks import refused
from modelyard.api.converting import Receipt, Wish, convert
from modelyard.convert import onnx_compare, onnx_edge, onnx_torch
from modelyard.convert.onnx_edge import Exported, export_estimator, export_module
from modelyard.convert.skops_loading import loaded, vetted
from modelyard.formats.file import BrokenError
from modelyard.problem import Problem
from modelyard.safety.files import scan_file

ONNX = Wish(to="onnx")
ROWS = numpy.random.default_rng(0).normal(size=(80, 5))
CLASSES = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)
pytestmark = pytest.mark.filterwarnings("ignore")


class Net(torch.nn.Module):
    """Something with every kind of input and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(7, 4)
        self.drop = torch.nn.Dropout(0.9)
        self.line = torch.nn.Linear(4, 3)

    def forward(self, words: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores, and which is best."""
        found = self.line(self.drop(self.embed(words).mean(1) * weights))
        return {"scores": found, "sum": found.sum()}


EXAMPLE = (torch.tensor([[0, 6, 2], [1, 2, 3]]), torch.rand(2, 4))
BATCH = torch.export.Dim("batch", min=1)
SHAPES = {"words": {0: BATCH}, "weights": {0: BATCH}}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.pt2` file, as torch writes it."""
    path = tmp_path_factory.mktemp("program") / "m.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Net().eval(), EXAMPLE, dynamic_shapes=SHAPES), path)
    return path


def test_a_live_module_is_written_and_stays_as_it_is(home: Path) -> None:
    module = Net().train()
    found = export_module(module, EXAMPLE, str(home / "m.onnx"), dynamic_shapes=SHAPES)
    assert isinstance(found, Exported), found
    assert all(each.training for each in module.modules())
    assert [each.path for each in found.written] == [str(home / "m.onnx")]
    assert found.agreement.sizes == (1, 2, 5)
    assert found.agreement.compared == 3 * (1 + 2 + 5) + 3
    session = onnxruntime.InferenceSession(home / "m.onnx")
    words, weights = torch.randint(0, 7, (9, 3)), torch.rand(9, 4)
    scores, whole = session.run(None, {"words": words.numpy(), "weights": weights.numpy()})
    wanted = module.eval()(words, weights)
    assert numpy.allclose(scores, wanted["scores"].detach(), atol=1e-5)
    assert numpy.allclose(whole, wanted["sum"].detach(), atol=1e-4)
    assert sorted(path.name for path in home.iterdir()) == ["m.onnx"]
    again = export_module(module, EXAMPLE, str(home / "m.onnx"))
    assert isinstance(again, Problem)
    assert again.code == "exists"


def test_large_weights_lie_beside_the_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_torch, "OUTSIDE", 0)
    found = export_module(torch.nn.Linear(300, 40), (torch.rand(2, 300),), str(home / "m.onnx"))
    assert isinstance(found, Exported), found
    assert [Path(each.path).name for each in found.written] == ["m.onnx", "m.onnx.data"]
    assert all(Path(each.path).stat().st_size == each.bytes for each in found.written)
    onnx.checker.check_model(home / "m.onnx", full_check=True)
    sums = subprocess.run(
        ["sha256sum", *(each.path for each in found.written)], capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in sums.stdout.splitlines()] == [each.sha256 for each in found.written]
    (home / "n.onnx.data").write_bytes(b"mine")
    other = export_module(torch.nn.Linear(300, 40), (torch.rand(2, 300),), str(home / "n.onnx"))
    assert isinstance(other, Problem)
    assert sorted(path.name for path in home.iterdir()) == ["m.onnx", "m.onnx.data", "n.onnx.data"]


@pytest.mark.parametrize("step", ["weights", "output", "shape"])
def test_a_model_that_computes_something_else_never_gets_its_name(
    step: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = onnx_compare.Session.run

    def off(self: onnx_compare.Session, inputs: dict[str, onnx_compare.Array]) -> list[onnx_compare.Array]:
        found = real(self, inputs)
        plain = found[0].astype("f4")
        worse = {"weights": plain * 1.01, "output": plain + numpy.float32("nan"), "shape": plain.T}
        changed: dict[str, onnx_compare.Array] = {key: numpy.asarray(each) for key, each in worse.items()}
        return [changed[step]]

    monkeypatch.setattr(onnx_compare.Session, "run", off)
    found = export_module(torch.nn.Linear(3, 5), (torch.rand(2, 3),), str(home / "m.onnx"))
    assert isinstance(found, Problem)
    assert (found.code, "in ONNX" in found.message) == ("unequal", True)
    assert list(home.iterdir()) == []


def test_what_torch_cannot_export_is_said(home: Path) -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if bool(x.sum() > 0) else x

    found = export_module(Odd(), (torch.rand(2),), str(home / "m.onnx"))
    assert isinstance(found, Problem)
    assert found.code == "unsupported"
    assert list(home.iterdir()) == []


def test_a_program_in_a_file(program: Path, home: Path) -> None:
    found = convert(program, home / "m", ONNX)
    assert isinstance(found, Receipt), found
    assert found.format == "PyTorch exported program"
    assert found.agreement is not None
    assert 0 <= found.agreement.largest < 1e-5
    assert [path.name for path in home.iterdir()] == ["m.onnx"]
    told = subprocess.run(["sha256sum", program, home / "m.onnx"], capture_output=True, text=True, check=True)
    sums = [line.split()[0] for line in told.stdout.splitlines()]
    assert sums == [found.sha256, found.written[0].sha256]


def hostile(program: Path, home: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A program of which one thing is changed."""
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(home / "h.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return home / "h.pt2"


def test_a_program_with_hostile_expressions_runs_nothing(program: Path, home: Path) -> None:
    marker = home / "ran"
    code = f"__import__('os').system('touch {marker}') or Symbol('s".encode()
    path = hostile(program, home, lambda name, data: data.replace(b"Symbol('s", code))
    assert scan_file(str(path)).verdict == "dangerous"
    wrong = refused(path, ONNX, home / "m.onnx")
    assert (wrong.code, "evaluates" in wrong.message) == ("dangerous", True)
    assert not marker.exists()
    torch.export.load(path)
    assert marker.exists(), "what torch itself does with such a file"


def test_a_program_with_operators_of_strangers(program: Path, home: Path) -> None:
    linear = b"torch.ops.aten.linear.default"
    for old, new in (
        (linear, b"torch.hub.load"), (linear, b"torch.ops.mine.linear.default"),
    ):  # fmt: skip
        path = hostile(program, home, lambda name, data, old=old, new=new: data.replace(old, new))  # type: ignore[misc]
        assert path.read_bytes() != program.read_bytes()
        assert scan_file(str(path)).verdict in ("suspicious", "dangerous"), new
        assert refused(path, ONNX, home / "m.onnx").code == "dangerous"


def test_a_process_that_dies_leaves_nothing(program: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(os.fspath(program))
    (home / "bin").write_text("#!/bin/sh\necho torn > $HOME/m.onnx; kill -9 $$\n")
    (home / "bin").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(home / "bin"))
    found = convert(program, home / "m.onnx", ONNX)
    assert isinstance(found, Problem)
    assert (found.code, "made the process fail" in found.message) == ("failed", True)
    assert [path.name for path in home.iterdir()] == ["bin"]


@pytest.mark.parametrize(
    "made",
    [
        make_pipeline(StandardScaler(), LogisticRegression()), RandomForestRegressor(5), KMeans(3, n_init=1),
        ExtraTreesClassifier(10), SelectKBest(k=2),
    ],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
def test_estimators_compute_the_same(made: object, home: Path) -> None:
    made.fit(ROWS, CLASSES)  # type: ignore[attr-defined]
    found = export_estimator(made, str(home / "m.onnx"))
    assert isinstance(found, Exported), found
    assert found.agreement.sizes == (1, 7, 200)
    first = onnxruntime.InferenceSession(home / "m.onnx").run(None, {"input": ROWS.astype("f4")})[0]
    method = "transform" if isinstance(made, SelectKBest) else "predict"
    assert numpy.allclose(first.ravel(), getattr(made, method)(ROWS.astype("f4").astype("f8")).ravel(), atol=1e-4)


def test_an_estimator_with_named_columns(home: Path) -> None:
    import pandas
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    table = pandas.DataFrame({"a": ROWS[:, 0].astype("f4"), "b": numpy.where(CLASSES == 1, "x", "y")})
    steps = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["b"]))
    made = make_pipeline(steps, LogisticRegression()).fit(table, CLASSES)
    found = export_estimator(made, str(home / "m.onnx"), example=table)
    assert isinstance(found, Exported), found


def test_an_estimator_that_skl2onnx_writes_wrongly_is_refused(home: Path) -> None:
    made = LinearDiscriminantAnalysis().fit(ROWS[:, :2], CLASSES)
    made.coef_ = made.coef_ * 2
    real = made.predict_proba
    made.predict_proba = lambda rows: real(rows)[:, ::-1]
    found = export_estimator(made, str(home / "m.onnx"))
    assert isinstance(found, Problem)
    assert found.code == "unequal"
    unfit = export_estimator(LogisticRegression(), str(home / "m.onnx"))
    assert isinstance(unfit, Problem)
    assert unfit.code == "no-example"
    assert list(home.iterdir()) == []


def test_skops_files_and_those_whose_audit_does_not_pass(home: Path) -> None:
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, CLASSES), home / "m.skops")
    found = convert(home / "m.skops", None, ONNX)
    assert isinstance(found, Receipt), found
    assert Path(found.written[0].path).name == "m.onnx"
    skops.io.dump(FunctionTransformer(subprocess.run), home / "t.skops")
    with pytest.raises(BrokenError, match="audit of skops"):
        loaded(str(home / "t.skops"))
    wrong = refused(home / "t.skops", ONNX)
    assert (wrong.code, "subprocess.run" in wrong.message) == ("dangerous", True)


def test_skops_files_of_forests_whose_trees_our_policy_vets(home: Path) -> None:
    skops.io.dump(RandomForestClassifier(3).fit(ROWS, CLASSES), home / "m.skops")
    assert skops.io.get_untrusted_types(file=home / "m.skops") == ["sklearn.tree._tree.Tree"]
    found = convert(home / "m.skops", None, ONNX)
    assert isinstance(found, Receipt), found
    assert found.agreement is not None
    assert found.agreement.compared > 0


@pytest.mark.parametrize(
    "name", ["subprocess.run", "builtins.getattr", "numpy.core.multiarray._reconstruct", "sklearn.tree.Nothing", "run"]
)
def test_what_is_dangerous_unknown_or_only_called_by_a_rule_is_not_trusted(name: str) -> None:
    assert not vetted(name)


def test_pickles_are_never_loaded_for_it(home: Path) -> None:
    joblib.dump(LogisticRegression(), home / "m.joblib")
    wrong = refused(home / "m.joblib", ONNX)
    assert (wrong.code, "--to skops" in wrong.hint, "m.joblib" in wrong.hint) == ("dangerous", True, True)
    (home / "m.pkl").write_bytes(pickle.dumps(LogisticRegression()))
    assert refused(home / "m.pkl", ONNX).code == "dangerous"
    torch.save({"w": torch.ones(1)}, home / "m.pt")
    assert "torch.export.save" in refused(home / "m.pt", ONNX).hint
    numpy.save(home / "m.npy", ROWS)
    assert refused(home / "m.npy", ONNX).code == "unsupported"


def test_every_package_that_is_missing_is_named_with_its_extra(
    program: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.convert.extras.find_spec", lambda name: None)
    wrong = refused(program, ONNX, home / "m.onnx")
    assert (wrong.code, wrong.hint) == ("no-extra", "pip install 'modelyard[torch]'")
    live = export_module(torch.nn.Linear(1, 1), (torch.ones(1),), str(home / "m.onnx"))
    assert isinstance(live, Problem)
    assert live.code == "no-extra"
    other = export_estimator(LogisticRegression(), str(home / "m.onnx"))
    assert isinstance(other, Problem)
    assert other.hint == "pip install 'modelyard[sklearn]'"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    names = "api.converting, cli.convert, convert.onnx_edge, convert.onnx_files, convert.skops_edge"
    modules = ", ".join(f"modelyard.{name}" for name in names.split(", "))
    code = f"import sys, json, modelyard, {modules}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"torch", "numpy", "onnx", "onnxruntime", "sklearn", "skops", "skl2onnx", "safetensors"}
    assert onnx_edge.DATA == ".data"

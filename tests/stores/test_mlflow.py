"""MLflow's file store."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import mlflow


def make(home: Path) -> None:
    """An experiment with a run, a deleted one, and a deleted experiment."""
    base = home / "project" / "mlruns"
    makers.write(base / "7" / "meta.yaml", "name: study\n")
    for name, stage in (("aa", "active"), ("bb", "deleted")):
        makers.write(base / "7" / name / "meta.yaml", f"run_name: run {name}\nlifecycle_stage: {stage}\n")
        makers.write(base / "7" / name / "artifacts" / "model.pkl", b"m" * 4000)
    makers.write(base / ".trash" / "8" / "meta.yaml", "name: gone\n")


def test_only_an_address_of_a_folder_names_one(home: Path) -> None:
    assert makers.places(mlflow, home) == []
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="file:///m") == [("/m", "MLFLOW_TRACKING_URI")]
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="~/runs") == [("~/runs", "MLFLOW_TRACKING_URI")]
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="sqlite:///mlflow.db") == []
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="http://127.0.0.1:5000") == []


def test_runs_exist_nowhere_else_even_deleted_ones(home: Path) -> None:
    make(home)
    found = {name.removeprefix("mlflow:project/mlruns/"): each for name, each in makers.artifacts(home).items()}
    assert {name: each.recovery for name, each in found.items()} == {"7/aa": "none", "7/bb": "none", ".trash": "none"}
    assert (found["7/aa"].title, found["7/aa"].detail) == ("run aa", "")
    assert "mlflow gc" in found["7/bb"].detail

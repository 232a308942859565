"""MLflow's file store and its database with the artifacts beside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.stores import mlflow

RUNS, MODELS = ("a" * 32, "b" * 32), ("m-" + "c" * 32,)


def make(home: Path) -> None:
    """An experiment with runs, a logged and a registered model, and a deleted experiment."""
    base = home / "project" / "mlruns"
    makers.write(base / "7" / "meta.yaml", "name: study\n")
    for name, stage in (("aa", "active"), ("bb", "deleted")):
        makers.write(base / "7" / name / "meta.yaml", f"run_name: run {name}\nlifecycle_stage: {stage}\n")
        makers.write(base / "7" / name / "artifacts" / "model.pkl", b"m" * 4000)
    makers.write(base / "7" / "models" / MODELS[0] / "meta.yaml", "name: net\n")
    makers.write(base / "7" / "models" / MODELS[0] / "artifacts" / "net.pt", b"n" * 4000)
    makers.write(base / "models" / "prod" / "meta.yaml", "name: prod\n")
    makers.write(base / "models" / "prod" / "version-1" / "meta.yaml", "version: 1\n")
    makers.write(base / ".trash" / "8" / "meta.yaml", "name: gone\n")


def database(path: Path, *more: str) -> Path:
    """The tables of MLflow 3.17 that are read, with two runs and a registered model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"""
            CREATE TABLE experiments (experiment_id INTEGER, name TEXT);
            CREATE TABLE metrics (key TEXT); CREATE TABLE experiment_tags (key TEXT);
            CREATE TABLE alembic_version (version_num TEXT);
            CREATE TABLE runs (run_uuid TEXT, name TEXT, lifecycle_stage TEXT);
            CREATE TABLE logged_models (model_id TEXT, name TEXT, lifecycle_stage TEXT);
            CREATE TABLE model_versions (name TEXT, version INTEGER, source TEXT, run_id TEXT);
            INSERT INTO experiments VALUES (1, 'study');
            INSERT INTO runs VALUES ('{RUNS[0]}', 'first', 'active'), ('{RUNS[1]}', 'second', 'deleted');
            INSERT INTO logged_models VALUES ('{MODELS[0]}', 'net', 'active');
            INSERT INTO model_versions VALUES ('prod', 1, 'models:/{MODELS[0]}', NULL);
            """)
        for statement in more:
            connection.executescript(statement)
        connection.commit()
    return path


def beside(home: Path) -> Path:
    """A database with the artifacts of a run and of a model, as MLflow 3.7 and later keeps them."""
    for name in (f"1/{RUNS[0]}/artifacts/a.txt", f"1/models/{MODELS[0]}/artifacts/net.pt"):
        makers.write(home / "project" / "mlruns" / name, b"a" * 4000)
    return database(home / "project" / "mlflow.db")


def test_only_an_address_of_a_folder_names_one(home: Path) -> None:
    assert makers.places(mlflow, home) == []
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="file:///m") == [("/m", "MLFLOW_TRACKING_URI")]
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="~/runs") == [("~/runs", "MLFLOW_TRACKING_URI")]
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="sqlite:///mlflow.db") == []
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="sqlite:////d/t.db") == [("/d", "MLFLOW_TRACKING_URI")]
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="sqlite:////t.db") == []
    assert makers.places(mlflow, home, MLFLOW_TRACKING_URI="http://127.0.0.1:5000") == []
    moved = makers.places(mlflow, home, MLFLOW_ARTIFACTS_DESTINATION="/art")
    assert moved == [("/art", "MLFLOW_ARTIFACTS_DESTINATION")]


def test_runs_and_models_exist_nowhere_else_even_deleted_ones(home: Path) -> None:
    make(home)
    found = {name.removeprefix("mlflow:project/mlruns/"): each for name, each in makers.artifacts(home).items()}
    assert {name: (each.kind, each.recovery) for name, each in found.items()} == {
        "7/aa": ("run", "none"),
        "7/bb": ("run", "none"),
        f"7/models/{MODELS[0]}": ("model", "none"),
        "models/prod": ("model", "none"),
        ".trash": ("run", "none"),
    }
    assert (found["7/aa"].title, found["7/aa"].detail) == ("run aa", "")
    assert "mlflow gc" in found["7/bb"].detail
    assert (found[f"7/models/{MODELS[0]}"].title, found["models/prod"].detail) == ("net", "registered, 1 versions")


def test_the_database_names_the_artifacts_beside_it(home: Path) -> None:
    beside(home)
    found = {name.removeprefix("mlflow:project/"): each for name, each in makers.artifacts(home).items()}
    assert {name: each.title for name, each in found.items()} == {
        "mlflow.db": "project/mlflow.db",
        f"mlruns/1/{RUNS[0]}": "first",
        f"mlruns/1/models/{MODELS[0]}": "net",
    }
    assert found[f"mlruns/1/models/{MODELS[0]}"].tags == ("prod v1",)
    assert found["mlflow.db"].detail == "2 runs, 1 of them deleted"
    assert found["mlflow.db"].facts[-1] == ("registered models", "prod")


def test_a_database_of_any_name_where_the_variable_says(home: Path) -> None:
    path = database(home / "data" / "tracking.sqlite")
    found = makers.artifacts(home, MLFLOW_TRACKING_URI=f"sqlite:///{path}")
    assert set(found) == {"mlflow:data/tracking.sqlite"}


def test_reading_a_database_leaves_no_trace_beside_it(home: Path) -> None:
    path = beside(home)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    before = sorted(path.parent.iterdir())
    assert "mlflow:project/mlflow.db" in makers.artifacts(home)
    assert sorted(path.parent.iterdir()) == before


@pytest.mark.parametrize(
    "runs",
    [
        "(run_uuid TEXT, name TEXT AS (hex(zeroblob(20000000))), lifecycle_stage TEXT)",
        "(run_uuid TEXT, name TEXT AS (hex(zeroblob(9999)) LIKE '%0%0%0%0%0%0%0%1'), lifecycle_stage TEXT)",
    ],
)
def test_a_database_that_computes_for_ever_or_fills_the_memory_is_given_up(runs: str, home: Path) -> None:
    database(home / "mlflow.db", "DROP TABLE runs", f"CREATE TABLE runs {runs}")
    fill = "INSERT INTO runs (run_uuid, lifecycle_stage) VALUES ('a', 'active')"
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        connection.executescript(fill)
    seen = api.survey({}, home, "linux", system=False)
    assert [(each.id, each.state) for each in seen.artifacts] == [("mlflow:mlflow.db", "corrupt")]
    assert [problem.code for problem in seen.problems] == ["damaged-database"]


def test_a_search_table_over_a_view_is_not_read(home: Path) -> None:
    made = "CREATE VIRTUAL TABLE runs USING fts5(run_uuid, name, lifecycle_stage)"
    database(home / "mlflow.db", "DROP TABLE runs", made)
    assert makers.artifacts(home)["mlflow:mlflow.db"].state == "corrupt"


def test_a_damaged_database_is_kept_and_told(home: Path) -> None:
    makers.write(home / "mlflow.db", b"SQLite format 3\0" + b"\x00" * 5000)
    seen = api.survey({}, home, "linux", system=False)
    assert [(each.id, each.state) for each in seen.artifacts] == [("mlflow:mlflow.db", "corrupt")]
    assert [problem.code for problem in seen.problems] == ["damaged-database"]


def test_a_database_of_another_program_is_not_one(home: Path) -> None:
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE runs (distance REAL)")
    assert not makers.artifacts(home)

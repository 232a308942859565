"""MLflow: runs in files, and in the database that it keeps by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.client import Client, runs
from clients.looking import look
from reclaiming import age, chosen, clean, everything, undo
from typed import Run

pytestmark = runs("with_mlflow", "mlflow")


@pytest.fixture(scope="module")
def filled(client: Client) -> dict[str, str]:
    """Three runs in files, one of them deleted, one in an experiment that was deleted; one run in a database."""
    work = client.home / "work"
    work.mkdir()
    file = work / "weights.bin"
    file.write_bytes(b"w" * 100_000)
    files = client.told(MLFLOW_TRACKING_URI=f"file:{client.home}/store", MLFLOW_ALLOW_FILE_STORE="true")
    one, two, three, *_ = files.calls(
        ("run", "one", file),
        ("run", "two", file),
        ("run", "three", file, "other"),
        ("delete_last_run",),
        ("delete_experiment", "other"),
        cwd=work,
    )
    return {
        "one": str(one),
        "two": str(two),
        "three": str(three),
        "four": str(client.call("run", "four", file, cwd=work)),
    }


def test_runs_in_files_exist_nowhere_else(client: Client, filled: dict[str, str]) -> None:
    seen = look(client.home, "mlflow", MLFLOW_TRACKING_URI=f"file:{client.home}/store")
    found = {Path(name).name: each for name, each in seen.artifacts.items()}
    assert {each.recovery for each in found.values()} == {"none"}
    assert found[filled["one"]].title == "one"
    assert "deleted" in found[filled["two"]].detail
    assert seen.roots[str(client.home / "store")] == "MLFLOW_TRACKING_URI"
    assert found[filled["one"]].sizes.apparent > 100_000


def test_the_run_that_the_database_knows_has_its_name(client: Client, filled: dict[str, str]) -> None:
    seen = look(client.home, "mlflow", MLFLOW_TRACKING_URI=f"file:{client.home}/store")
    assert (client.home / "work" / "mlflow.db").is_file()
    run = next(each for name, each in seen.artifacts.items() if Path(name).name == filled["four"])
    assert (run.title, run.kind, run.recovery) == ("four", "run", "none")
    assert run.sizes.apparent >= 100_000


def test_after_a_look_mlflow_finds_its_runs(client: Client, filled: dict[str, str]) -> None:
    look(client.home, "mlflow", MLFLOW_TRACKING_URI=f"file:{client.home}/store")
    assert client.call("runs", cwd=client.home / "work") == [filled["four"]]


def test_after_a_clean_mlflow_lists_the_other_runs_and_after_an_undo_all(fresh: Client, run: Run) -> None:
    work = fresh.home / "work"
    work.mkdir()
    file = work / "weights.bin"
    file.write_bytes(b"w" * 100_000)
    files = fresh.told(MLFLOW_TRACKING_URI=f"file:{work}/mlruns", MLFLOW_ALLOW_FILE_STORE="true")
    one, two = files.calls(("run", "one", file), ("run", "two", file), cwd=work)
    age(work)
    before = everything(work)
    assert chosen(run, "mlflow") == set()
    (name,) = [each for each in look(fresh.home, "mlflow").artifacts if each.endswith(str(one))]
    clean(run, "mlflow", include=(f"mlflow:{name}",))
    assert files.call("runs", cwd=work) == [two]
    undo(run)
    assert everything(work) == before
    assert set(files.call("runs", cwd=work)) == {one, two}  # type: ignore[call-overload]

"""wandb without its server."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.client import Client, runs
from clients.looking import look
from typed import Run
from verify.looking import flip, told

pytestmark = runs("with_wandb", "wandb")


@pytest.fixture(scope="module")
def filled(client: Client) -> Client:
    """Two offline runs, one of them with an artifact."""
    work = client.home / "work"
    work.mkdir()
    (work / "weights.bin").write_bytes(b"w" * 100_000)
    client.calls(("run",), ("run", work / "weights.bin"), cwd=work)
    return client


def test_runs_that_were_never_synced_exist_nowhere_else(filled: Client) -> None:
    seen = look(filled.home, "wandb")
    runs = {name: each for name, each in seen.artifacts.items() if each.kind == "run"}
    assert len(runs) == 2
    assert {Path(name).name.startswith("offline-run-") for name in runs} == {True}
    assert {(each.state, each.recovery) for each in runs.values()} == {("complete", "none")}
    assert str(filled.home / "work" / "wandb") in seen.roots


def test_what_waits_to_be_uploaded_may_exist_nowhere_else(filled: Client) -> None:
    seen = look(filled.home, "wandb")
    assert seen.states["staging"] == ("other", "complete", "none")
    staged = [path for path in (filled.home / ".local/share/wandb/artifacts/staging").iterdir() if path.is_file()]
    assert [path.stat().st_size for path in staged] == [100_000]
    assert seen.artifacts["staging"].sizes.apparent >= 100_000


def test_a_run_that_its_server_has_comes_again_from_there(fresh: Client) -> None:
    """The mark that `wandb sync` leaves beside a run's log."""
    name = str(fresh.call("run"))
    run = fresh.home / "wandb" / name
    next(run.glob("*.wandb")).with_suffix(".wandb.synced").touch()
    assert look(fresh.home, "wandb").states[f"wandb/{name}"] == ("run", "complete", "re-get")


def test_variables_move_runs_and_staging(fresh: Client) -> None:
    file = fresh.home / "weights.bin"
    file.write_bytes(b"w" * 100_000)
    moved = {
        "WANDB_DIR": fresh.home / "runs",
        "WANDB_DATA_DIR": fresh.home / "staged",
        "WANDB_CACHE_DIR": fresh.home / "cached",
    }
    (fresh.home / "runs").mkdir()
    fresh.told(**moved).call("run", file)
    seen = look(fresh.home, "wandb", **moved)
    found = {found_by: path for path, found_by in seen.roots.items()}
    assert found["WANDB_DIR"] == str(fresh.home / "runs" / "wandb")
    assert found["WANDB_DATA_DIR"] in (str(fresh.home / "staged"), str(fresh.home / "staged" / "wandb"))
    assert {each.kind for each in seen.artifacts.values()} == {"run", "other"}


def test_logs_and_what_waits_to_be_uploaded_are_verified(fresh: Client, run: Run) -> None:
    file = fresh.home / "weights.bin"
    file.write_bytes(bytes(range(256)) * 400)
    fresh.call("run", file)
    assert told(run, "wandb", code=0) == {}
    log = next(path for path in fresh.home.rglob("run-*.wandb") if not path.parent.is_symlink())
    staged = next(path for path in (fresh.home / ".local/share/wandb/artifacts/staging").iterdir() if path.is_file())
    flip(staged)
    assert told(run, "wandb", code=5) == {staged.name: "corrupt"}
    flip(log)
    assert told(run, "wandb", code=5)[log.name] == "corrupt"

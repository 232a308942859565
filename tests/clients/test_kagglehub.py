"""kagglehub's models, data sets, competitions and notebook outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clients.archives import zipped
from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web
from reclaiming import age, chosen, clean, everything, undo
from typed import Run

pytestmark = runs("with_kagglehub", "kagglehub")
CACHE = Path(".cache/kagglehub")
FILES = {"config.json": b"{}", "model.bin": b"w" * 50_000, "rows.csv": b"a,b\n" * 1000}


def serve(web: Web) -> None:
    """Answers the calls that download something with the address where it is."""
    base = "/api/v1"
    web.files |= {f"/{name}": content for name, content in FILES.items()}
    web.files["/data.zip"] = zipped({"rows.csv": FILES["rows.csv"]})
    web.files["/big.zip"] = os.urandom(40_000_000)
    web.stalled.add("/big.zip")

    def bundle(body: bytes) -> str:
        told = json.loads(body)
        big = "big" in (told.get("datasetSlug"), told.get("kernelSlug"))
        return f"{web.url}/{told.get('fileName') or ('big.zip' if big else 'data.zip')}"

    def file(body: bytes) -> str:
        return f"{web.url}/{json.loads(body)['path']}"

    listed = {"files": [{"name": name} for name in ("config.json", "model.bin")], "nextPageToken": ""}
    web.calls = {
        f"{base}/models.ModelApiService/ListModelInstanceVersionFiles": lambda _: json.dumps(listed).encode(),
        f"{base}/models.ModelApiService/DownloadModelInstanceVersion": file,
        f"{base}/datasets.DatasetApiService/DownloadDataset": bundle,
        f"{base}/competitions.CompetitionApiService/DownloadDataFiles": bundle,
        f"{base}/kernels.KernelsApiService/DownloadKernelOutput": bundle,
    }


def of(client: Client, web: Web) -> Client:
    """The client with the address of the server, and a name that it takes for credentials."""
    login = {"KAGGLE_USERNAME": "someone", "KAGGLE_KEY": "none"}
    return client.told(KAGGLE_API_ENVIRONMENT="LOCALHOST", KAGGLE_SERVER=web.url, **login)


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """Whole bundles of all four sorts, single files of two, and two archives that came half."""
    serve(web)
    told = of(client, web)
    told.calls(
        ("model", "acme/tiny/pyTorch/base/1"),
        ("model", "acme/tiny/pyTorch/base/2", "config.json"),
        ("data", "acme/rows/versions/3"),
        ("data", "acme/rows/versions/4", "rows.csv"),
        ("competition", "titanic"),
        ("notebook", "acme/run/versions/5"),
    )
    told.kill(holds(client.home / CACHE / "datasets"), "data", "acme/big/versions/9")
    told.kill(holds(client.home / CACHE / "notebooks"), "notebook", "acme/big/versions/6")
    return told


def test_bundles_single_files_and_halves_are_told_apart(filled: Client) -> None:
    seen = look(filled.home, "kagglehub")
    assert {name: (kind, state) for name, (kind, state, _) in seen.states.items()} == {
        "models/acme/tiny/pyTorch/base/1": ("model", "complete"),
        "models/acme/tiny/pyTorch/base/2": ("model", "complete"),
        "datasets/acme/rows/versions/3": ("dataset", "complete"),
        "datasets/acme/rows/versions/4": ("dataset", "complete"),
        "datasets/acme/big/9.archive": ("dataset", "partial"),
        "competitions/titanic": ("dataset", "complete"),
        "notebooks/acme/run/output/versions/5": ("other", "complete"),
        "notebooks/acme/big/output-{handle.version!s}.archive": ("other", "partial"),
    }
    assert {each.recovery for each in seen.artifacts.values()} == {"re-get"}
    assert seen.artifacts["datasets/acme/rows/versions/4"].detail == "single files of it"
    assert {Path(name).name for name in seen.unclaimed} == {"output-{handle.version!s}.complete"}


def test_a_version_goes_with_the_marker_that_makes_it_valid(filled: Client) -> None:
    seen = look(filled.home, "kagglehub")
    assert {path.name for path in seen.files("models/acme/tiny/pyTorch/base/1")} == {"1", "1.complete"}
    assert {path.name for path in seen.files("competitions/titanic")} == {"titanic", "titanic.complete"}


def test_after_a_look_versions_are_there_without_a_server(filled: Client, web: Web) -> None:
    look(filled.home, "kagglehub")
    before = len(web.asked)
    given = filled.calls(("model", "acme/tiny/pyTorch/base/1"), ("data", "acme/rows/versions/4", "rows.csv"))
    assert [Path(str(path)).exists() for path in given] == [True, True]
    assert len(web.asked) == before


def test_the_variable_moves_the_cache(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    of(fresh, web).told(KAGGLEHUB_CACHE=place).call("data", "acme/rows/versions/3")
    seen = look(fresh.home, "kagglehub", KAGGLEHUB_CACHE=place)
    assert seen.roots == {str(place): "KAGGLEHUB_CACHE"}
    assert set(seen.artifacts) == {"datasets/acme/rows/versions/3"}


def test_after_a_clean_kagglehub_loads_what_was_kept_and_gets_again_what_went(
    fresh: Client, web: Web, run: Run, filled: Client
) -> None:
    """The marker goes before the folder: with the marker alone kagglehub would believe in what is not there."""
    told, cache = of(fresh, web), fresh.home / CACHE
    kept, gone = ("data", "acme/rows/versions/3"), ("model", "acme/tiny/pyTorch/base/1")
    first = told.calls(kept, gone, ("model", "acme/tiny/pyTorch/base/2", "config.json"))
    told.kill(holds(cache / "datasets", 5_000_000), "data", "acme/big/versions/9")
    age(cache)
    before = everything(cache)
    assert chosen(run, "kagglehub") == {"kagglehub:datasets/acme/big/9.archive"}
    wanted = ("kagglehub:models/acme/tiny/pyTorch/base/1", "kagglehub:models/acme/tiny/pyTorch/base/2")
    clean(run, "kagglehub", include=wanted)
    asked = len(web.asked)
    assert told.call(*kept) == first[0]
    assert len(web.asked) == asked
    undo(run)
    assert everything(cache) == before
    assert told.calls(kept, gone) == first[:2]
    assert len(web.asked) == asked
    clean(run, "kagglehub", include=wanted)
    assert told.calls(gone, ("model", "acme/tiny/pyTorch/base/2", "config.json")) == first[1:]
    assert len(web.asked) > asked
    assert {path.name for path in Path(str(first[1])).iterdir()} == {"config.json", "model.bin"}
    assert {state for _, state, _ in look(fresh.home, "kagglehub", "trash").states.values()} == {"complete"}


def test_the_marker_goes_before_the_folder(fresh: Client, web: Web, run: Run, filled: Client) -> None:
    of(fresh, web).call("model", "acme/tiny/pyTorch/base/1")
    name = "kagglehub:models/acme/tiny/pyTorch/base/1"
    plan = json.loads(run("clean", "kagglehub", "--include", name, "--dry-run", "--json").out)["plan"]
    assert [Path(step["path"]).name for step in plan["steps"]] == ["1.complete", "1"]

"""Ollama: a models folder recorded from a real server, and the states that cost people their models."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tarfile
from pathlib import Path

import pytest

import makers
import oracle
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import ollama, ollama_settings

RECORDED = Path(__file__).parent.parent / "data" / "ollama-0.32.15.tar.gz"
MODELS = Path(".ollama/models")


def make(home: Path) -> None:
    """Two models over one layer, a partial download, an orphan, and the key."""
    models = home / ".ollama" / "models"
    base = makers.ollama_blob(models, b"GGUF" + b"m" * 9000)
    makers.ollama_model(models, "registry.ollama.ai/library/llama3/8b", [base])
    makers.ollama_model(
        models, "registry.ollama.ai/acme/pirate/v1", [{**base, "from": "llama3:8b"}, makers.ollama_blob(models, b"arr")]
    )
    makers.write(models / "blobs" / f"sha256-{'1' * 64}-partial", b"half")
    makers.write(models / "blobs" / f"sha256-{'1' * 64}-partial-0", '{"N":0,"Offset":0,"Size":100,"Completed":40}')
    makers.write(models / "blobs" / f"sha256-{'2' * 64}", b"nobody names it")
    makers.write(home / ".ollama" / "id_ed25519", "secret")


def artifacts(home: Path, env: dict[str, str] | None = None) -> dict[str, Artifact]:
    """The artifacts of the home by id."""
    return {each.id: each for each in api.survey(env or {}, home, "linux", system=False).artifacts}


@pytest.fixture
def recorded(home: Path, tmp_path: Path) -> Path:
    """The folder with what a server answered; its models lie in the home."""
    with tarfile.open(RECORDED) as archive:
        archive.extractall(tmp_path / "recorded", filter="data")
    (home / ".ollama").mkdir()
    (tmp_path / "recorded" / "models_before_delete").rename(home / MODELS)
    return tmp_path / "recorded"


def test_names_and_sizes_are_those_the_server_tells(recorded: Path, home: Path) -> None:
    answer = json.loads((recorded / "api_tags_before_delete.json").read_text())
    told = {f"ollama:{model['name']}": model["size"] for model in answer["models"]}
    found = artifacts(home)
    assert {name for name in found if found[name].state == "complete"} == set(told)
    for name, size in told.items():
        manifest = sum(len(path.read_bytes()) for path in [_manifest(home, name)])
        assert found[name].sizes.apparent == size + manifest


def _manifest(home: Path, name: str) -> Path:
    model, tag = name.removeprefix("ollama:").split(":")
    space = model if "/" in model else f"library/{model}"
    return home / MODELS / "manifests" / "registry.ollama.ai" / space / tag


def test_what_the_server_left_behind_is_an_orphan(recorded: Path, home: Path) -> None:
    found = artifacts(home)["ollama:#orphan"]
    assert found.sizes.apparent == 497_472  # the uploaded file, which the server wrote anew under another digest


def test_models_over_one_layer_free_only_what_is_their_own(recorded: Path, home: Path) -> None:
    survey = api.survey({}, home, "linux", system=False)
    names = [each.id for each in survey.artifacts if each.state == "complete"]
    for each in survey.artifacts:
        if each.state == "complete":
            assert each.sizes.freed < 20_000 < each.sizes.allocated
    assert survey.freed(names).freed > 497_504


def test_a_model_made_from_another_cannot_be_had_again(recorded: Path, home: Path) -> None:
    assert artifacts(home)["ollama:pirate:v1"].recovery == "none"


def test_a_second_registry_keeps_its_name(recorded: Path, home: Path) -> None:
    (home / MODELS).rename(home / "before")
    (recorded / "models_after_delete_and_pull").rename(home / MODELS)
    assert "ollama:127.0.0.1:18501/library/half:7b" in artifacts(home)


@pytest.mark.parametrize(
    ("env", "path", "found_by"),
    [({}, "{home}/.ollama/models", "default"), ({"OLLAMA_MODELS": ' "/m" '}, "/m", "OLLAMA_MODELS")],
)
@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_precedence_of_what_moves_it(env: dict[str, str], path: str, found_by: str, platform: str, home: Path) -> None:
    found = makers.named(ollama, home, platform, **env)  # type: ignore[arg-type]
    assert (found[0].path, found[0].found_by) == (path.format(home=home), found_by)
    assert any(root.path == "/usr/share/ollama/.ollama/models" for root in found) == (platform == "linux")


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", ".ollama/db.sqlite"),
        ("macos", "Library/Application Support/Ollama/db.sqlite"),
        ("windows", "AppData/Local/Ollama/db.sqlite"),
    ],
)
def test_the_desktop_app_setting_comes_first_and_is_read_without_a_trace(platform: str, place: str, home: Path) -> None:
    database = home / place
    database.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE settings (id INTEGER PRIMARY KEY, models TEXT NOT NULL DEFAULT '')")
        connection.execute("INSERT INTO settings VALUES (1, '/mnt/big/models')")
        connection.commit()
    paths = list(oracle.below(home))
    oracle.age(paths)
    before = oracle.traces(paths)
    found = makers.named(ollama, home, platform, OLLAMA_MODELS="/m")  # type: ignore[arg-type]
    assert [root.path for root in found][:2] == ["/mnt/big/models", "/m"]
    assert str(database) in found[0].found_by
    assert oracle.traces(paths) == before


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(200), b"no database" * 20])
def test_a_damaged_app_database_is_passed_over(content: bytes, home: Path) -> None:
    makers.write(home / ".ollama" / "db.sqlite", content)
    assert makers.named(ollama, home)[0].found_by == "default"


@pytest.mark.parametrize(
    "line",
    [
        'Environment="OLLAMA_MODELS=/srv/models"',
        "Environment=A=1 OLLAMA_MODELS=/srv/models",
        " Environment='OLLAMA_MODELS=/srv/models'",
    ],
)
def test_a_service_unit_moves_the_models_of_the_machine(line: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = makers.write(home / "override.conf", f"[Service]\n{line}\n")
    monkeypatch.setattr(ollama_settings, "UNITS", (str(unit),))
    found = [root for root in makers.named(ollama, home) if root.system]
    assert (found[0].path, found[0].found_by) == ("/srv/models", str(unit))


def test_both_spellings_of_a_blob_name(home: Path) -> None:
    layer = makers.ollama_blob(home / MODELS, b"GGUF" * 900, spelling=":")
    makers.ollama_model(home / MODELS, "registry.ollama.ai/library/old/latest", [layer])
    assert artifacts(home)["ollama:old:latest"].state == "complete"


def test_a_model_of_one_blob_a_tensor(home: Path) -> None:
    layers = [makers.ollama_blob(home / MODELS, f"tensor {number}".encode()) for number in range(700)]
    makers.ollama_model(home / MODELS, "registry.ollama.ai/library/mlx/latest", layers)
    assert len(artifacts(home)["ollama:mlx:latest"].blobs) == 701


def test_an_unreadable_manifest_keeps_its_blobs_from_being_orphans(home: Path) -> None:
    make(home)
    makers.write(home / MODELS / "manifests/registry.ollama.ai/library/llama3/8b", "{")
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each for each in survey.artifacts}
    assert found["ollama:llama3:8b"].state == "corrupt"
    assert found["ollama:#orphan"].state == "complete"
    assert [problem.code for problem in survey.problems] == ["bad-manifest"]


def test_an_empty_manifest_is_corrupt(home: Path) -> None:
    make(home)
    makers.write(home / MODELS / "manifests/registry.ollama.ai/library/none/latest", b"")
    assert artifacts(home)["ollama:none:latest"].state == "corrupt"


def test_a_missing_layer_makes_the_model_dangle(home: Path) -> None:
    layer = makers.ollama_blob(home / MODELS, b"gone" * 100)
    makers.ollama_model(home / MODELS, "registry.ollama.ai/library/broken/latest", [layer])
    (home / MODELS / "blobs" / str(layer["digest"]).replace(":", "-")).unlink()
    assert artifacts(home)["ollama:broken:latest"].state == "dangling"


def test_an_interrupted_pull_is_partial_and_takes_little(home: Path) -> None:
    partial = home / MODELS / "blobs" / f"sha256-{'1' * 64}-partial"
    makers.write(partial, b"")
    with partial.open("r+b") as file:
        file.truncate(4 << 30)  # the server sets the full size before a byte has come
    makers.write(partial.with_name(f"{partial.name}-0"), '{"N":0,"Offset":0,"Size":4294967296,"Completed":2147483648}')
    makers.ollama_model(home / MODELS, "registry.ollama.ai/library/other/latest", [])
    found = artifacts(home)["ollama:partial/sha256-111111111111"]
    assert (found.state, found.detail) == ("partial", "50 % of it had arrived")
    assert found.sizes.apparent > 4 << 30 > 100_000 > found.sizes.allocated


@pytest.mark.parametrize("level", ["manifests", "manifests/registry.ollama.ai/library/llama3", "manifest"])
def test_a_link_on_the_way_to_a_manifest_leaves_no_blob_an_orphan(level: str, home: Path, tmp_path: Path) -> None:
    make(home)
    place = level if level != "manifest" else "manifests/registry.ollama.ai/library/llama3/8b"
    (home / MODELS / place).rename(tmp_path / "moved")
    (home / MODELS / place).symlink_to(tmp_path / "moved")
    assert artifacts(home)["ollama:#orphan"].state == "complete"

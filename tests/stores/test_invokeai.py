"""InvokeAI: where its folders are, models by its database, orphans and halves."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import makers
import oracle
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import invokeai

SCHEMA = """CREATE TABLE models (id TEXT NOT NULL PRIMARY KEY,
 path TEXT GENERATED ALWAYS as (json_extract(config, '$.path')) VIRTUAL NOT NULL, config TEXT NOT NULL)"""
KEYS = ("aaaa-1", "bbbb-2")


def database(path: Path, *models: dict[str, object], schema: str = SCHEMA, table: str = "models") -> None:
    """A database of models, as version 4 and later make it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(schema)
        for model in models:
            text = json.dumps({"hash": "blake3:0", **model})
            connection.execute(f"INSERT INTO {table} (id, config) VALUES (?, ?)", (str(model["key"]), text))
        connection.commit()


def model(key: str, path: str, name: str, source: str = "/home/me/x", kind: str = "path") -> dict[str, object]:
    """A model as the database describes it."""
    return {
        "key": key, "path": path, "name": name, "base": "sdxl", "type": "main", "source": source, "source_type": kind,
    }  # fmt: skip


def make(home: Path) -> None:
    """A runtime folder with models of every sort, an orphan, what is half installed, keys, and images."""
    base = home / "invokeai"
    makers.write(base / "invokeai.yaml", "# Internal metadata - do not edit:\nschema_version: 4.0.3\n")
    makers.write(base / "api_keys.yaml", "external_openai_api_key: secret")
    makers.write(base / f"models/{KEYS[0]}/flux.safetensors", b"w" * 5000)
    makers.write(base / f"models/{KEYS[1]}/model_index.json", "{}")
    makers.write(base / f"models/{KEYS[1]}/unet/model.safetensors", b"u" * 5000)
    makers.write(base / "models/sdxl/lora/old.safetensors", b"l" * 3000)
    makers.write(base / "models/cccc-3/orphan.safetensors", b"o" * 3000)
    makers.write(base / "models/tmpinstall_xyz/part.safetensors.downloading", b"half")
    makers.write(base / "models/.download_cache/https__host/depth.pt", b"d" * 3000)
    makers.write(base / "outputs/images/1.png", b"i" * 3000)
    database(
        base / "databases/invokeai.db",
        model(KEYS[0], f"{KEYS[0]}/flux.safetensors", "Flux", "https://host/flux?token=secret", "url"),
        model(KEYS[1], KEYS[1], "Pipeline", "acme/pipeline", "hf_repo_id"),
        model("dddd-4", "sdxl/lora/old.safetensors", "Old"),
    )


def look(home: Path, **env: str) -> dict[str, Artifact]:
    """What was found, by id without the store."""
    return {name.removeprefix("invokeai:"): each for name, each in makers.artifacts(home, **env).items()}


def codes(home: Path, **env: str) -> list[str]:
    """The codes of what could not be understood."""
    return [each.code for each in api.survey(env, home, "linux", system=False).problems]


def test_models_by_the_database_orphans_and_halves(home: Path) -> None:
    make(home)
    found = {name: (each.state, each.recovery) for name, each in look(home).items()}
    assert found == {
        "sdxl/main/Flux": ("complete", "re-get"),
        "sdxl/main/Pipeline": ("complete", "re-get"),
        "sdxl/main/Old": ("complete", "none"),
        "invokeai/models/cccc-3/orphan.safetensors": ("orphan", "none"),
        "invokeai/models/tmpinstall_xyz": ("partial", "re-get"),
        "invokeai/models/.download_cache": ("complete", "re-get"),
        "invokeai/databases": ("complete", "none"),
        "invokeai/outputs": ("complete", "none"),
    }


def test_neither_keys_nor_settings_nor_tokens_are_claimed_or_shown(home: Path) -> None:
    make(home)
    survey = api.survey({}, home, "linux", system=False)
    claimed = [Path(survey.tree.path(row).decode()) for each in survey.artifacts for row in each.rows]
    names = {path.name for path in oracle.below(*claimed)}
    assert not names & {"api_keys.yaml", "invokeai.yaml"}
    assert "secret" not in str(survey.artifacts)


def test_reading_the_database_leaves_nothing_beside_it(home: Path) -> None:
    make(home)
    with closing(sqlite3.connect(home / "invokeai/databases/invokeai.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    before = sorted((home / "invokeai/databases").iterdir())
    assert "sdxl/main/Flux" in look(home)
    assert sorted((home / "invokeai/databases").iterdir()) == before


def test_nothing_is_called_an_orphan_while_the_write_ahead_log_holds_changes(home: Path) -> None:
    make(home)
    makers.write(home / "invokeai/databases/invokeai.db-wal", b"w" * 4120)
    assert look(home)["invokeai/models/cccc-3/orphan.safetensors"].state == "complete"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\xff" * 4000, b"\0" * 5000, b"no database" * 500])
def test_a_broken_database_is_a_problem_and_calls_nothing_an_orphan(content: bytes, home: Path) -> None:
    make(home)
    makers.write(home / "invokeai/databases/invokeai.db", content)
    found = look(home)
    assert {each.state for each in found.values()} == {"complete", "partial"}
    assert f"invokeai/models/{KEYS[0]}/flux.safetensors" in found
    assert codes(home) == ["unreadable-database"]


@pytest.mark.parametrize(
    "schema",
    ["CREATE TABLE images (id TEXT)", "CREATE TABLE models (id TEXT, path TEXT)", "CREATE VIEW models AS SELECT 1"],
)
def test_a_database_of_another_schema_is_a_problem(schema: str, home: Path) -> None:
    make(home)
    database(home / "invokeai/databases/invokeai.db", schema=schema)
    assert codes(home) == ["unreadable-database"]
    assert "orphan" not in {each.state for each in look(home).values()}


def test_a_model_described_in_a_way_of_tomorrow_makes_no_orphans(home: Path) -> None:
    make(home)
    database(home / "invokeai/databases/invokeai.db", {"key": "x", "path": {"at": "elsewhere"}})
    assert codes(home) == ["unreadable-database"]
    assert "orphan" not in {each.state for each in look(home).values()}


def test_a_record_whose_files_are_gone_is_dangling_and_takes_nothing(home: Path) -> None:
    make(home)
    database(home / "invokeai/databases/invokeai.db", model("ffff-6", "ffff-6/gone.safetensors", "Gone"))
    gone = look(home)["sdxl/main/Gone"]
    assert (gone.state, gone.rows) == ("dangling", ())


def test_a_model_that_is_a_service_has_no_file_and_is_not_gone(home: Path) -> None:
    make(home)
    service: dict[str, object] = {"key": "x", "path": "external://openai/gpt", "name": "Far", "source_type": "external"}
    database(home / "invokeai/databases/invokeai.db", service)
    assert "dangling" not in {each.state for each in look(home).values()}
    assert not codes(home)


def test_the_database_of_version_3_is_read_too(home: Path) -> None:
    make(home)
    schema = "CREATE TABLE model_config (id TEXT PRIMARY KEY, config TEXT NOT NULL)"
    old = model("k", "sdxl/lora/old.safetensors", "Old")
    database(home / "invokeai/databases/invokeai.db", old, schema=schema, table="model_config")
    assert look(home)["sdxl/main/Old"].state == "complete"


def test_a_record_that_names_all_models_or_all_of_home_claims_neither(home: Path) -> None:
    make(home)
    records = [model("a", "", "All"), model("b", "../..", "Home"), model("c", "\0/", "Nul"), model("d", "/", "Root")]
    database(home / "invokeai/databases/invokeai.db", *records)
    survey = api.survey({}, home, "linux", system=False)
    claimed = {survey.tree.label(row) for each in survey.artifacts for row in each.rows}
    assert not claimed & {"", ".", "invokeai", "invokeai/models", str(home)}


def test_precedence_of_what_moves_it(home: Path, tmp_path: Path) -> None:
    assert makers.places(invokeai, home) == [("~/invokeai", "default")]
    makers.write(tmp_path / "run/invokeai.yaml", "models_dir: /m\noutputs_dir: ~/o\ndb_dir: db\n")
    moved = [("/m", f"{tmp_path}/run/invokeai.yaml models_dir"), ("~/o", f"{tmp_path}/run/invokeai.yaml outputs_dir")]
    beside = f"{tmp_path}/run/.venv"
    assert makers.places(invokeai, home, VIRTUAL_ENV=beside) == [(f"{tmp_path}/run", "VIRTUAL_ENV"), *moved]
    both = makers.places(invokeai, home, INVOKEAI_ROOT="/r", VIRTUAL_ENV=beside)
    assert both == [("/r", "INVOKEAI_ROOT")]
    named = makers.places(invokeai, home, INVOKEAI_MODELS_DIR="/v", VIRTUAL_ENV=beside)
    assert named[1] == ("/v", "INVOKEAI_MODELS_DIR")
    assert makers.places(invokeai, home, VIRTUAL_ENV="/project/.venv") == [("~/invokeai", "default")]


@pytest.mark.parametrize("version", ["models_dir: {0}\n", "InvokeAI:\n  Paths:\n    models_dir: {0}\n"])
def test_moved_models_are_read_with_their_database(version: str, home: Path, tmp_path: Path) -> None:
    make(home)
    (home / "invokeai/models").rename(tmp_path / "models")
    makers.write(home / "invokeai/invokeai.yaml", version.replace("{0}", f"{tmp_path}/models"))
    found = look(home)
    assert found["sdxl/main/Flux"].sizes.allocated >= 5000
    assert found[f"{tmp_path}/models/cccc-3/orphan.safetensors"].state == "orphan"


def test_models_moved_by_a_variable_are_read_with_their_database(home: Path, tmp_path: Path) -> None:
    make(home)
    (home / "invokeai/models").rename(tmp_path / "models")
    found = look(home, INVOKEAI_MODELS_DIR=f"{tmp_path}/models")
    assert found["sdxl/main/Flux"].sizes.allocated >= 5000
    assert f"{tmp_path}/models/cccc-3/orphan.safetensors" in found


def test_a_runtime_folder_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / "invokeai").rename(home / "moved")
    assert look(home)["sdxl/main/Flux"].state == "complete"
    (home / "moved/invokeai.yaml").unlink()
    assert look(home)["sdxl/main/Flux"].state == "complete"


def test_broken_settings_are_a_problem_and_defaults_hold(home: Path) -> None:
    make(home)
    makers.write(home / "invokeai/invokeai.yaml", "[" * 50_000)
    assert "sdxl/main/Flux" in look(home)
    assert codes(home) == ["unreadable-settings"]


def test_a_model_left_in_place_elsewhere_is_claimed_where_it_lies(home: Path) -> None:
    make(home)
    place = makers.write(home / "elsewhere/mine.safetensors", b"m" * 90_000)
    database(home / "invokeai/databases/invokeai.db", model("k", str(place), "Mine"))
    found = look(home)["sdxl/main/Mine"]
    assert (found.state, found.sizes.freed > 90_000) == ("complete", True)


def test_a_model_in_place_outside_the_walk_takes_nothing_and_is_told(home: Path, tmp_path: Path) -> None:
    outside = makers.write(tmp_path / "drive/x.safetensors", b"w" * 3000)
    makers.write(home / "invokeai/models/x.txt", "")
    database(home / "invokeai/databases/invokeai.db", model("k", str(outside), "Far"))
    assert look(home)["sdxl/main/Far"].sizes.allocated == 0
    assert codes(home) == ["outside-roots"]

"""Programs that run MLX models on a Mac."""

from __future__ import annotations

import json
from pathlib import Path

import makers
from modelyard import api
from modelyard.problem import Problem
from modelyard.stores import mlx


def make(home: Path) -> None:
    """oMLX with models at both depths, half of one, and prompts it processed."""
    base = home / ".omlx"
    for name in ("models/tiny-4bit", "models/acme/second-8bit"):
        makers.write(base / name / "config.json", "{}")
        makers.write(base / name / "model.safetensors", b"w" * 4000)
    makers.write(base / "models/acme/half/model.safetensors", b"w" * 3000)
    makers.write(base / "cache/3/30ff.safetensors", b"k" * 3000)
    makers.write(base / "settings.json", '{"auth": {"api_key": "secret"}}')


def found(home: Path, **env: str) -> dict[str, tuple[str, str]]:
    """Store and state of every artifact that a Mac's home holds, by id."""
    seen = api.survey(env, home, "macos", system=False)
    return {each.id: (each.store, each.state) for each in seen.artifacts}


def test_what_moves_omlx(home: Path) -> None:
    assert makers.places(mlx, home) == [
        ("~/.omlx/models", "default"),
        ("~/.omlx/cache", "oMLX cache, default"),
        ("~/.cache/huggingface/hub/mlx-audio", "default"),
    ]
    swift = makers.places(mlx, home, "macos", HF_HOME="/f")[2:]
    assert swift == [
        ("/f/hub/mlx-audio", "HF_HOME"),
        ("~/Library/Caches/mlx-audio", "default of older versions"),
        ("~/Documents/huggingface/models", "default of swift-transformers"),
    ]
    pointer = makers.write(home / "Library/Application Support/oMLX/base-path", f"{home}/pointed\n")
    assert makers.places(mlx, home, "macos")[0] == ("~/pointed/models", str(pointer))
    assert makers.places(mlx, home, OMLX_BASE_PATH="~/elsewhere")[0] == ("~/elsewhere/models", "OMLX_BASE_PATH")


def test_settings_name_folders_of_models_and_of_prompts(home: Path) -> None:
    settings = {"model": {"model_dirs": ["~/m", "~/.lmstudio/models"]}, "cache": {"ssd_cache_dir": "/fast"}}
    file = makers.write(home / ".omlx" / "settings.json", json.dumps(settings))
    named = makers.places(mlx, home)
    assert ("~/m", f"oMLX models in {file}") in named
    assert ("/fast", f"oMLX cache in {file}") in named
    assert not any(".lmstudio" in path for path, _ in named)


def test_damaged_settings_are_told(home: Path) -> None:
    makers.write(home / ".omlx" / "settings.json", '{"model": 7}')
    assert [place.code for place in mlx.roots({}, home, "macos") if isinstance(place, Problem)] == [
        "unreadable-settings"
    ]


def test_models_whole_and_half(home: Path) -> None:
    make(home)
    assert {name: state for name, (_, state) in found(home).items()} == {
        "mlx:tiny-4bit": "complete",
        "mlx:acme/second-8bit": "complete",
        "mlx:acme/half": "partial",
        "mlx:.omlx/cache": "complete",
    }


def test_audio_models_of_swift_programs_old_and_new_in_and_out_of_a_sandbox(home: Path) -> None:
    places = (
        "Library/Caches/mlx-audio/acme_old",
        ".cache/huggingface/hub/mlx-audio/acme_new",
        "Library/Containers/com.acme.app/Data/Library/Caches/huggingface/hub/mlx-audio/acme_boxed",
    )
    for place in places:
        makers.write(home / place / "config.json", "{}")
        makers.write(home / place / "model.safetensors", b"w" * 3000)
    assert set(found(home)) == {"mlx:acme_old", "mlx:acme_new", "mlx:acme_boxed"}


def test_a_sandboxed_hub_cache_is_recognised_by_what_it_holds(home: Path) -> None:
    hub = home / "Library/Containers/com.acme.app/Data/Library/Caches/huggingface/hub"
    makers.hub_repo(hub, "models--acme--tiny", {"config.json": b"{}"})
    assert set(found(home)) == {f"hf:model/acme/tiny@{'a' * 12}"}


def test_models_of_swift_transformers_are_listed_once(home: Path) -> None:
    base = home / "Documents/huggingface/models/acme"
    makers.write(base / "old" / "config.json", "{}")
    makers.write(base / "noted" / "config.json", "{}")
    makers.write(base / "noted/.cache/huggingface/download/config.json.metadata", "c\ne\n1767225600\n")
    assert set(found(home)) == {"mlx:acme/old", "hf-local:Documents/huggingface/models/acme/noted"}

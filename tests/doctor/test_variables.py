"""Variables that do nothing, contradict each other, or hold what no tool can use."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
from doctor.patients import examine, only, rc, run, told


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("TRANSFORMERS_CACHE", "HF_HUB_CACHE"),
        ("DIFFUSERS_CACHE", "HF_HUB_CACHE"),
        ("PYTORCH_TRANSFORMERS_CACHE", ""),
        ("PYTORCH_PRETRAINED_BERT_CACHE", ""),
        ("TORCH_MODEL_ZOO", ""),
    ],
)
def test_a_dead_variable_is_told_and_its_command_mends_the_shell(name: str, now: str, home: Path) -> None:
    value = f"{home}/my models"
    found = only(told("dead-variable", home, {name: value}))
    assert (found.severity, found.place) == ("fault", name)
    after = run(f"{found.command}; env", home, **{name: value})
    assert f"{name}=" not in after
    assert (f"{now}={value}" in after) == bool(now)


def test_what_lies_where_a_dead_variable_points_is_counted(home: Path) -> None:
    makers.hub_repo(home / "old", "models--acme--tiny", {"w": b"w" * 300_000})
    assert "KiB lie there" in only(told("dead-variable", home, {"TRANSFORMERS_CACHE": f"{home}/old"})).consequence


@pytest.mark.parametrize(
    "line", ["export TRANSFORMERS_CACHE={}", "  TRANSFORMERS_CACHE={}", "export  TRANSFORMERS_CACHE={}"]
)
def test_the_command_renames_it_in_the_start_file_and_keeps_the_old_one(line: str, home: Path) -> None:
    file = rc(home, "alias a=b", line.format("/data/hub"), "export HF_TRANSFORMERS_CACHE=1", name=".zshrc")
    before = file.read_text()
    found = only(told("dead-variable", home, {"TRANSFORMERS_CACHE": "/data/hub"}))
    assert found.place == "TRANSFORMERS_CACHE in ~/.zshrc, line 2"
    run(found.command, home)
    assert file.read_text() == before.replace(" TRANSFORMERS_CACHE", " HF_HUB_CACHE")
    assert (home / ".zshrc.bak").read_text() == before
    assert not told("dead-variable", home)


def test_the_command_comments_it_out_where_another_variable_rules(home: Path) -> None:
    file = rc(home, "export HF_HOME=/data/hf", "export TRANSFORMERS_CACHE=/data/hub")
    run(only(told("dead-variable", home)).command, home)
    assert file.read_text() == "export HF_HOME=/data/hf\n# export TRANSFORMERS_CACHE=/data/hub\n"
    assert not told("dead-variable", home)


def test_a_start_file_that_is_a_link_stays_one(home: Path) -> None:
    rc(home, "export TRANSFORMERS_CACHE=/data/hub", name="dot files")
    (home / ".bashrc").symlink_to("dot files")
    run(only(told("dead-variable", home)).command, home)
    assert (home / ".bashrc").is_symlink()
    assert "HF_HUB_CACHE=/data/hub" in (home / ".bashrc").read_text()


def test_the_old_name_of_the_hub_variable_is_a_note(home: Path) -> None:
    found = only(told("deprecated-variable", home, {"HUGGINGFACE_HUB_CACHE": f"{home}/hub"}))
    assert (found.severity, found.command) == (
        "note",
        f"unset HUGGINGFACE_HUB_CACHE; export HF_HUB_CACHE={home}/hub",
    )
    both = {"HUGGINGFACE_HUB_CACHE": f"{home}/hub", "HF_HUB_CACHE": f"{home}/hub"}
    assert not told("deprecated-variable", home, both)


def test_conda_stops_when_both_names_are_set(home: Path) -> None:
    both = {"CONDA_ENVS_DIRS": f"{home}/a", "CONDA_ENVS_PATH": f"{home}/b"}
    assert only(told("conda-variables", home, both)).command == "unset CONDA_ENVS_PATH"
    assert not told("conda-variables", home, {"CONDA_ENVS_DIRS": f"{home}/a"})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("models", "relative path"),
        ("./models", "relative path"),
        ("~/models", "literal `~`"),
        ('"/data/models"', "quotes"),
        ("'/data/models", "quotes"),
        ("/data/models ", "blank"),
        (" /data/models", "blank"),
    ],
)
def test_a_malformed_value_is_told_with_the_value_that_was_meant(value: str, words: str, home: Path) -> None:
    found = only(told("malformed-variable", home, {"UV_CACHE_DIR": value}))
    assert words in found.message
    meant = run(f'{found.command}; printf %s "$UV_CACHE_DIR"', home)
    assert meant in ("/data/models", f"{home}/models")
    assert not told("malformed-variable", home, {"UV_CACHE_DIR": meant})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UV_CACHE_DIR", "/data/uv"),
        ("HF_HOME", "~/hf"),
        ("OLLAMA_MODELS", ' "/data/models" '),
        ("JAX_COMPILATION_CACHE_DIR", "gs://bucket/cache"),
        ("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"),
        ("CONDA_ENVS_DIRS", "/a/envs:/b/envs"),
        ("NLTK_DATA", "/a:/b"),
        ("HF_HOME", ""),
        ("HF_HOME", "   "),
    ],
)
def test_what_its_tool_understands_is_not_malformed(name: str, value: str, home: Path) -> None:
    assert not told("malformed-variable", home, {name: value})


def test_one_relative_part_of_a_list_is_told(home: Path) -> None:
    found = only(told("malformed-variable", home, {"CONDA_ENVS_DIRS": f"{home}/a:b"}))
    assert found.command == f"export CONDA_ENVS_DIRS={home}/a:{home}/b"


def test_a_quoted_tilde_in_a_start_file_is_told_with_its_line(home: Path) -> None:
    rc(home, "alias x=y", 'export UV_CACHE_DIR="~/uv"')
    found = only(told("malformed-variable", home))
    assert found.place == "UV_CACHE_DIR in ~/.bashrc, line 2"
    assert found.command == f"export UV_CACHE_DIR={home}/uv"
    rc(home, "export UV_CACHE_DIR=~/uv")
    assert not told("malformed-variable", home)


def test_a_variable_this_shell_did_not_load_is_a_note(home: Path) -> None:
    file = rc(home, f"export HF_HOME={home}/hf")
    found = only(told("variable-not-loaded", home, {"PATH": "/bin"}))
    assert (found.severity, found.command) == ("note", f". {file}")
    assert not told("variable-not-loaded", home, {"PATH": "/bin", "HF_HOME": f"{home}/hf"})
    assert not told("variable-not-loaded", home), "of another home the variables are not known"


def test_variables_without_utf8_and_with_line_ends_are_shown_safely(home: Path) -> None:
    for value in ("/data/caf\udce9", "/data/a\nb", "/data/\x1b[31mred", "models \udcff'"):
        for each in examine(home, {"TRANSFORMERS_CACHE": value, "UV_CACHE_DIR": value}):
            text = f"{each.place}{each.message}{each.consequence}{each.command}{each.caution}"
            assert text.isprintable()

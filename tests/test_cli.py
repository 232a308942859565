"""The commands as a person types them: answers, exit codes, and errors that say what to do next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import makers
from modelyard.cli import documents
from modelyard.demo.build import build
from typed import Answer, Run


@pytest.fixture
def full(home: Path) -> Path:
    """A home with something of every store."""
    for make in makers.layouts().values():
        make(home)
    return home


DOCUMENTED = {
    "modelyard": (),
    "ls": ("ls",),
    "show": ("show", "ollama:llama3:8b"),
    "top": ("top", "3"),
    "where": ("where",),
}


@pytest.mark.parametrize("name", list(DOCUMENTED))
def test_json_is_one_document_of_its_documented_type(name: str, run: Run, full: Path) -> None:
    answer = run(*DOCUMENTED[name], "--json")
    document = msgspec.json.decode(answer.out, type=documents.DOCUMENTS[name], strict=True)
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["schema_version"] == 1
    assert msgspec.json.decode(msgspec.json.encode(document)) == json.loads(answer.out)


def test_json_has_the_fields_that_the_design_promises(run: Run, full: Path) -> None:
    overview = json.loads(run("--json").out)
    assert {"schema_version", "home", "roots", "partial", "totals", "disk", "stores", "kinds", "problems"} <= set(
        overview
    )
    assert {"store", "title", "artifacts", "apparent", "allocated", "freed", "unclaimed"} <= set(overview["stores"][0])
    assert {"apparent", "allocated", "freed"} <= set(overview["totals"])
    assert {"device", "total", "free"} <= set(overview["disk"][0])
    line = json.loads(run("ls", "--json").out)["artifacts"][0]
    promised = {
        "id",
        "store",
        "kind",
        "title",
        "root",
        "apparent",
        "allocated",
        "freed",
        "last_used",
        "recovery",
        "state",
        "proof",
    }
    assert promised <= set(line)


def test_the_schemas_in_the_documentation_are_those_of_the_program() -> None:
    page = (Path(__file__).parent.parent / "docs" / "json.md").read_text()
    for name, document in documents.DOCUMENTS.items():
        fields = [field.encode_name for field in msgspec.structs.fields(document)]
        section = page.partition(f"## `{'modelyard' if name == 'modelyard' else f'modelyard {name}'} --json`")[2]
        assert section, name
        assert all(f"`{field}`" in section.partition("\n## ")[0] for field in fields), name


def test_the_overview_names_every_store_that_is_there(run: Run, full: Path) -> None:
    answer = run()
    for title in (
        "Hugging Face hub",
        "Ollama",
        "LM Studio",
        "PyTorch Hub",
        "Training checkpoints",
        "conda",
        "pip cache",
    ):
        assert title in answer.out
    assert "Biggest opportunities" in answer.out
    assert "\x1b[" not in answer.out


def test_an_empty_home_is_fine(run: Run) -> None:
    answer = run()
    assert answer.code == 0
    assert "modelyard where" in answer.out
    assert run("ls").out.count("\n") == 1
    assert run("ls", "-q") == Answer(0, "", "")


def test_ls_in_a_pipe_is_tab_separated_and_whole(run: Run, full: Path) -> None:
    lines = run("ls").out.splitlines()
    assert lines[0].split("\t")[0] == "Id"
    assert all(line.count("\t") == 10 for line in lines)
    assert any(line.startswith("conda:pkg/tiny-1.0-0\t") for line in lines)


def ids(answer: Answer) -> set[str]:
    """The ids that `ls -q` printed."""
    return set(answer.out.splitlines())


def test_ls_chooses(run: Run, full: Path) -> None:
    everything = ids(run("ls", "-q"))
    assert ids(run("ls", "ollama", "-q")) == {each for each in everything if each.startswith("ollama:")}
    assert ids(run("ls", "--store", "pip", "--store", "conda", "-q")) == {
        each for each in everything if each.startswith(("pip:", "conda:"))
    }
    prefixes = {"conda:base/miniconda3", "conda:env/old", "conda:env/new"}
    assert ids(run("ls", "conda", "--kind", "environment", "-q")) == prefixes
    assert "ollama:#orphan" in ids(run("ls", "--state", "orphan", "-q"))
    assert ids(run("ls", "--recovery", "superseded", "-q")) == {"checkpoint:work/out/checkpoint-500"}
    assert ids(run("ls", "--tag", "best", "-q")) == {"checkpoint:work/out/checkpoint-1000"}
    assert ids(run("ls", "--older", "1d", "-q")) == set()
    assert ids(run("ls", "--unused-for", "1d", "-q")) == set()
    assert ids(run("ls", "--older", "0s", "-q")) == everything
    assert ids(run("ls", "--larger", "1GB", "-q")) == set()
    assert ids(run("ls", "TINY-gguf", "-q")) == {"lmstudio:acme/Tiny-GGUF@Q4_K_M", "lmstudio:acme/Tiny-GGUF@Q8_0"}


@pytest.mark.parametrize(("order", "key"), [("size", "allocated"), ("freed", "freed")])
def test_ls_orders_by_bytes(order: str, key: str, run: Run, full: Path) -> None:
    values = [line[key] for line in json.loads(run("ls", "--sort", order, "--json").out)["artifacts"]]
    assert values == sorted(values, reverse=True)


def test_ls_orders_by_name_and_by_use_and_stops(run: Run, full: Path) -> None:
    names = run("ls", "--sort", "name", "-q").out.splitlines()
    assert names == sorted(names)
    used = [line["last_used"]["at"] for line in json.loads(run("ls", "--sort", "used", "--json").out)["artifacts"]]
    assert used == sorted(used)
    assert run("ls", "--limit", "2", "-q").out.count("\n") == 2


def test_ids_ended_by_nul_are_safe_for_xargs(run: Run, home: Path) -> None:
    makers.trainer_checkpoint(home / "a\nb", 5)
    assert run("ls", "-0").out == "checkpoint:a\\x0ab/checkpoint-5\0"


def test_show_tells_everything(run: Run, full: Path) -> None:
    answer = run("show", "conda:env/old")
    for words in ("conda:env/old", "Frees alone", "re-solve, unproven", "Shares bytes with", "conda:pkg/tiny-1.0-0"):
        assert words in answer.out


def test_show_tells_who_uses_it_and_never_that_nobody_does(run: Run, full: Path) -> None:
    makers.write(full / "code" / "train.py", "import torch\nfrom_pretrained('acme/tiny')\n")
    found = json.loads(run("show", "hf:model/acme/tiny@aaaaaaaaaaaa", "--json").out)
    assert found["used_by"] == [
        {"by": "code", "who": "code/train.py:2", "evidence": "from_pretrained('acme/tiny')", "confidence": "high"}
    ]
    assert "code/train.py:2" in run("show", "hf:model/acme/tiny@aaaaaaaaaaaa").out
    assert "No use or reference seen among" in run("show", "hf:dataset/globex/crops").out


def test_show_takes_a_part_of_an_id_that_fits_one(run: Run, full: Path) -> None:
    assert run("show", "llama3").out.startswith("ollama:llama3:8b")


@pytest.mark.parametrize("name", ["nothing-like-it", "conda:env"])
def test_show_of_something_unknown_says_what_to_type(name: str, run: Run, full: Path) -> None:
    answer = run("show", name)
    assert answer.code == 1
    assert answer.out == ""
    assert "modelyard ls -q" in answer.err


def test_top_names_the_artifact_of_a_file(run: Run, full: Path) -> None:
    makers.write(full / "miniconda3/envs/old/big.bin", b"b" * 400_000)
    first = json.loads(run("top", "1", "--json").out)["files"][0]
    assert (first["artifact"], first["path"]) == ("conda:env/old", f"{full}/miniconda3/envs/old/big.bin")


def test_where_tells_how_a_root_was_found_and_why_not(run: Run, home: Path) -> None:
    makers.layouts()["ollama"](home)
    stores = {store["store"]: store for store in json.loads(run("where", "--json").out)["stores"]}
    found = {"path": f"{home}/.ollama/models", "found_by": "default", "exists": True, "remote": False, "missing": ""}
    assert stores["ollama"]["roots"][0] == found
    assert "OLLAMA_MODELS" in stores["ollama"]["variables"]
    assert stores["hf"]["missing"]
    assert "no such folder" in run("where").out


def test_where_of_one_store(run: Run, full: Path) -> None:
    assert [store["store"] for store in json.loads(run("where", "uv", "--json").out)["stores"]] == ["uv"]
    assert run("where", "uv").out.startswith("uv  (uv)")
    answer = run("where", "nothing")
    assert (answer.code, answer.out) == (1, "")
    assert "modelyard where" in answer.err


def test_a_further_root_is_looked_at_too(run: Run, home: Path, tmp_path: Path) -> None:
    makers.trainer_checkpoint(tmp_path / "data" / "out", 5)
    assert ids(run("ls", "-q", "--root", str(tmp_path / "data"))) == {f"checkpoint:{tmp_path}/data/out/checkpoint-5"}
    assert ids(run("--root", str(tmp_path / "data"), "ls", "-q")) == {f"checkpoint:{tmp_path}/data/out/checkpoint-5"}


def test_a_home_that_is_not_there(run: Run, tmp_path: Path) -> None:
    answer = run("--home", str(tmp_path / "nowhere"))
    assert (answer.code, answer.out) == (1, "")
    assert "is not a folder" in answer.err


@pytest.mark.parametrize(
    "words", [("sl",), ("ls", "--sort", "colour"), ("ls", "--larger", "huge"), ("top", "0"), ("--hom",)]
)
def test_a_mistyped_command_is_a_usage_error(words: tuple[str, ...], run: Run) -> None:
    answer = run(*words)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err


def test_a_mistyped_verb_gets_a_suggestion(run: Run) -> None:
    assert "Did you mean 'where'?" in run("wher").err


def test_names_cannot_write_to_the_terminal(run: Run, home: Path) -> None:
    makers.trainer_checkpoint(home / "\x1b]0;owned\x07[bold]", 5)
    for words in ((), ("ls",), ("top",), ("where",), ("show", "checkpoint-5")):
        answer = run(*words)
        assert answer.code == 0
        assert "\x1b" not in answer.out


def test_demo_builds_and_refuses_what_is_in_use(run: Run, home: Path) -> None:
    answer = run("demo", str(home / "sample"), "--scale", "0.01", "--json")
    assert json.loads(answer.out)["entries"] > 100
    again = run("demo", str(home / "sample"))
    assert (again.code, again.out) == (1, "")


def test_variables_of_this_shell_say_nothing_about_another_home(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers.hub_repo(tmp_path / "mine", "models--acme--tiny", {"w": b"w"})
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "mine"))
    assert run("ls", "-q").out == ""


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    build(tmp_path / "sample", 1, 0.05)
    command = f"{sys.executable} -m modelyard --home {tmp_path}/sample ls | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_help_needs_neither_tables_nor_a_walk() -> None:
    code = "import sys, modelyard.cli as c; c.modelyard(['--help'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"rich", "msgspec", "modelyard.api", "modelyard.walk._walker"} & set(loaded)

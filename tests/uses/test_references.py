"""What people's own code asks for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Use
from modelyard.uses import references
from modelyard.uses.references import CAP, index


def seen(home: Path, part: str) -> list[Use]:
    """Who asks for the artifact whose id holds this, in code."""
    survey = api.survey({}, home, "linux", system=False)
    number, artifact = api.find_artifact(survey, part)
    return index(survey.tree, survey.claims).of(artifact, number, survey.tree, survey.claims)


def model(home: Path, name: str = "acme--tiny") -> None:
    """A model in the hub cache."""
    makers.hub_repo(home / ".cache/huggingface/hub", f"models--{name}", {"config.json": b"{}"})


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("train.py", 'model = AutoModel.from_pretrained(\n    "acme/tiny",\n    revision="x")'),
        ("train.py", "snapshot_download(repo_id = 'acme/tiny')"),
        ("train.py", 'pipeline("text-generation", model="acme/tiny")'),
        ("train.py", "MODEL_ID = x\nmodel_id = 'acme/tiny'"),
        ("a.ipynb", '{"source": ["m = AutoModel.from_pretrained(\'acme/tiny\')"]}'),
        ("get.sh", "hf download --local-dir x acme/tiny"),
        ("get.sh", "huggingface-cli download \\\n   acme/tiny"),
        ("serve.service", "ExecStart=/usr/bin/vllm serve acme/tiny --port 80"),
        ("serve.sh", "llama-server --port 80 -hf acme/tiny"),
        ("config.yaml", "base_model: acme/tiny"),
        ("config.toml", 'pretrained_model_name_or_path = "acme/tiny"'),
        (".github/workflows/test.yml", "      run: hf download acme/tiny"),
        ("Dockerfile", "RUN huggingface-cli download acme/tiny && true"),
    ],
)
def test_a_model_of_the_hub_is_asked_for_in_many_ways(home: Path, file: str, text: str) -> None:
    model(home)
    makers.write(home / "code" / file, text)
    (use,) = seen(home, "acme/tiny")
    assert (use.by, use.who.rpartition(":")[0]) == ("code", f"code/{file}")
    assert "acme/tiny" in use.evidence
    assert use.confidence in ("high", "medium")


@pytest.mark.parametrize(
    "text",
    [
        "AutoModel.from_pretrained('acme/tinyllama')",
        "hf download acme/tiny-instruct",
        "from acme import tiny",
        "print('acme/tiny')",
        "model = make(acme/tiny)",
    ],
)
def test_a_name_that_only_looks_alike_is_no_reference(home: Path, text: str) -> None:
    model(home)
    makers.write(home / "train.py", text)
    assert seen(home, "acme/tiny") == []


def test_a_comment_counts_little_and_lines_are_told(home: Path) -> None:
    model(home)
    makers.write(home / "train.py", "\n\n# old: from_pretrained('acme/tiny')\nfrom_pretrained('acme/tiny')\n")
    assert [(use.who, use.confidence) for use in seen(home, "acme/tiny")] == [
        ("train.py:3", "low"),
        ("train.py:4", "high"),
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run.sh", "ollama run --verbose llama3:8b 'hello'"),
        ("chat.py", "ollama.chat(model='llama3:8b')"),
        ("Modelfile", "# mine\nFROM llama3:8b\n"),
    ],
)
def test_models_of_ollama(home: Path, file: str, text: str) -> None:
    makers.layouts()["ollama"](home)
    makers.write(home / "code" / file, text)
    assert [use.who.rpartition(":")[0] for use in seen(home, "ollama:llama3:8b")] == [f"code/{file}"]


def test_ollama_names_a_model_without_a_tag_the_latest(home: Path) -> None:
    models = home / ".ollama" / "models"
    layer = makers.ollama_blob(models, b"weights")
    makers.ollama_model(models, "registry.ollama.ai/library/phi/latest", [layer])
    makers.write(home / "run.sh", "ollama run phi")
    assert len(seen(home, "ollama:phi")) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run.sh", "source ~/miniconda3/etc/profile.d/conda.sh\nconda activate new\n"),
        ("job.sbatch.sh", "conda run -n new python train.py"),
        ("environment.yml", "name: new\nchannels: [x]\ndependencies:\n  - python\n"),
        ("start.sh", "~/miniconda3/envs/new/bin/python serve.py"),
    ],
)
def test_conda_environments(home: Path, file: str, text: str) -> None:
    makers.layouts()["conda"](home)
    makers.write(home / "code" / file, text)
    assert len(seen(home, "conda:env/new")) == 1
    assert seen(home, "conda:env/old") == []


@pytest.mark.parametrize(
    "path", ["~/weights/tuned.safetensors", "{home}/weights/tuned.safetensors", "../weights/tuned.safetensors"]
)
def test_a_path_in_the_code_leads_to_what_lies_there(home: Path, path: str) -> None:
    makers.trainer_checkpoint(home / "weights", 500)
    (home / "weights" / "checkpoint-500" / "model.safetensors").rename(
        home / "weights/checkpoint-500/tuned.safetensors"
    )
    text = path.format(home=home).replace("weights/", "weights/checkpoint-500/")
    makers.write(home / "code" / "load.py", f"load_file('{text}')\n")
    assert [use.who for use in seen(home, "checkpoint-500")] == ["code/load.py:1"]


def test_a_relative_folder_given_to_a_loader_is_a_path(home: Path) -> None:
    makers.trainer_checkpoint(home / "code" / "out", 500)
    makers.write(home / "code" / "load.py", "AutoModel.from_pretrained('./out/checkpoint-500')\n")
    assert [use.who for use in seen(home, "checkpoint-500")] == ["code/load.py:1"]


def test_what_lies_in_environments_and_caches_is_not_peoples_own_code(home: Path) -> None:
    model(home)
    makers.layouts()["venv"](home)
    for place in ("project/.venv/lib/x.py", "site-packages/x.py", "app/node_modules/x.py", "repo/.git/hooks/x.py"):
        makers.write(home / place, "from_pretrained('acme/tiny')")
    assert seen(home, "acme/tiny") == []


def test_files_over_the_cap_binaries_and_links_are_left_alone(home: Path) -> None:
    model(home)
    text = b"from_pretrained('acme/tiny')"
    makers.write(home / "big.py", text + b" " * CAP)
    makers.write(home / "largest.py", text.ljust(CAP))
    makers.write(home / "empty.py", b"")
    makers.write(home / "data.bin", text)
    (home / "link.py").symlink_to("data.bin")
    os.mkfifo(home / "pipe.py")
    assert [use.who for use in seen(home, "acme/tiny")] == ["largest.py:1"]


def test_a_name_at_the_very_end_and_bytes_that_are_no_text(home: Path) -> None:
    model(home)
    makers.write(home / "end.sh", b"hf download acme/tiny")
    makers.write(home / "odd.py", b"\xff\xfe\0from_pretrained('acme/tiny')\0\xff")
    makers.write(home / "cut.py", b"from_pretrained('acme/ti")
    makers.write(Path(os.fsdecode(bytes(home) + b"/odd\xff.py")), b"from_pretrained('acme/tiny')")
    assert [use.who for use in seen(home, "acme/tiny")] == ["end.sh:1", "odd.py:1", "odd\\xff.py:1"]


def test_a_file_of_nothing_but_names_costs_little(home: Path) -> None:
    model(home)
    line = b"from_pretrained('acme/tiny')\n"
    makers.write(home / "many.py", line * (CAP // len(line)))
    assert 0 < len(seen(home, "acme/tiny")) <= 4096


def test_more_files_than_it_looks_into_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "FILES", 5)
    for number in range(8):
        makers.write(home / f"{number}.py", "x")
    survey = api.survey({}, home, "linux", system=False)
    found = index(survey.tree, survey.claims)
    assert (found.files, found.complete) == (5, False)
    assert "only the first 5 files" in api.everyone(survey, {}, home, "linux", system=False).gaps()[-1]


def test_reading_code_leaves_no_trace(home: Path) -> None:
    model(home)
    path = makers.write(home / "train.py", "from_pretrained('acme/tiny')")
    os.utime(path, (1_000_000_000, 2_000_000_000))
    seen(home, "acme/tiny")
    assert path.stat().st_atime == 1_000_000_000

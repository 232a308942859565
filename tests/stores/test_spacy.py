"""spaCy pipelines: packages inside and outside environments, and what a program wrote."""

from __future__ import annotations

import json
from pathlib import Path

import makers

META = json.dumps({"lang": "en", "name": "core_web_sm", "version": "3.8.0", "pipeline": ["tok2vec", "ner"]})
USER = Path(".local/lib/python3.11/site-packages")


def pipeline(folder: Path, meta: str = META) -> Path:
    """What `nlp.to_disk` writes."""
    makers.write(folder / "meta.json", meta)
    makers.write(folder / "config.cfg", "[nlp]")
    makers.write(folder / "tokenizer", b"t" * 100)
    makers.write(folder / "vocab" / "strings.json", "[]")
    makers.write(folder / "ner" / "model", b"w" * 6000)
    return folder


def package(packages: Path) -> Path:
    """A pipeline as pip installs it."""
    folder = packages / "en_core_web_sm"
    makers.write(folder / "__init__.py", "")
    makers.write(folder / "meta.json", META)
    makers.write(packages / "en_core_web_sm-3.8.0.dist-info" / "RECORD", "")
    pipeline(folder / "en_core_web_sm-3.8.0")
    return folder


def make(home: Path) -> None:
    """A package of the user's and a pipeline that a program trained."""
    package(home / USER)
    pipeline(home / "work" / "model-best", json.dumps({"lang": "de", "name": "mine", "pipeline": ["ner"]}))


def test_a_package_that_pip_put_into_a_folder_of_its_own_can_be_had_again(home: Path) -> None:
    package(home / "vendored")  # pip install --target
    found = makers.artifacts(home)
    assert [(each.recovery, each.detail) for each in found.values()] == [("re-get", "installed by pip")]
    assert len(next(iter(found.values())).pins) == 1


def test_packages_and_what_a_program_trained(home: Path) -> None:
    make(home)
    found = {name.partition(":")[2]: each for name, each in makers.artifacts(home).items()}
    installed, trained = found[f"{USER}/en_core_web_sm/en_core_web_sm-3.8.0"], found["work/model-best"]
    assert (installed.title, installed.recovery, len(installed.pins)) == ("en_core_web_sm 3.8.0", "re-get", 1)
    assert installed.facts == (("language", "en"), ("components", "tok2vec, ner"))
    assert (trained.title, trained.recovery) == ("de_mine", "none")


def test_a_pipeline_inside_an_environment_is_named_and_counted_once(home: Path) -> None:
    """Two stores that need the same bytes would keep either from freeing them."""
    environment = home / "project" / ".venv"
    makers.write(environment / "pyvenv.cfg", "home = /usr/bin\n")
    package(environment / "lib/python3.11/site-packages")
    found = makers.artifacts(home)
    inside = next(each for each in found.values() if each.store == "spacy")
    assert inside.sizes.allocated == 0
    assert "of an environment" in inside.detail
    whole = found["venv:project/.venv"]
    assert whole.sizes.freed == whole.sizes.allocated > 6000


def test_another_programs_meta_json_is_not_one(home: Path) -> None:
    makers.write(home / "game" / "meta.json", META)
    for name in ("meta.json", "config.cfg", "vocab/words.txt"):
        makers.write(home / "other" / name, '{"lang": "en"}')
    assert not makers.artifacts(home)


def test_a_pipeline_that_a_tracker_logged_belongs_to_the_run(home: Path) -> None:
    run = home / "mlruns" / "1" / ("a" * 32)
    makers.write(run / "meta.yaml", "run_name: x\n")
    makers.write(home / "mlruns" / "1" / "meta.yaml", "name: study\n")
    pipeline(run / "artifacts" / "model.spacy")
    assert {each.store for each in makers.artifacts(home).values()} == {"mlflow"}

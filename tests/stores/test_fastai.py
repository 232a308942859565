"""fastai's folders, which its settings move one by one."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api
from modelyard.inventory import Root
from modelyard.stores import fastai


def make(home: Path) -> None:
    """An archive, what came out of it, what came out of one that is gone, and a learner."""
    base = home / ".fastai"
    makers.write(base / "archive" / "pets.tgz", b"z" * 4000)
    makers.write(base / "data" / "pets" / "cat.jpg", b"c" * 4000)
    makers.write(base / "data" / "planes" / "jet.jpg", b"j" * 4000)
    makers.write(base / "models" / "mine.pkl", b"m" * 4000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(fastai, home)[0] == ("~/.fastai/archive", "default")
    assert makers.places(fastai, home, FASTAI_HOME="/f")[1] == ("/f/data", "FASTAI_HOME")
    makers.write(home / ".fastai" / "config.ini", "[DEFAULT]\ndata = /mnt/big\n")
    assert ("/mnt/big", "config.ini data") in makers.places(fastai, home)


def test_a_learner_may_exist_nowhere_else(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.kind, each.recovery) for name, each in found.items()} == {
        "fastai:archive/pets.tgz": ("dataset", "re-get"),
        "fastai:data/pets": ("dataset", "re-make"),
        "fastai:data/planes": ("dataset", "re-get"),
        "fastai:models/mine.pkl": ("model", "none"),
    }


def test_a_half_archive_is_told_apart_and_a_lock_is_no_data_set(home: Path) -> None:
    archive = home / ".fastai" / "archive"
    for name in ("pets.tgz.part", "pets.tgz.lock"):
        makers.write(archive / name, b"half")
    makers.write(home / ".fastai" / "data" / "pets" / "cat.jpg")
    found = makers.artifacts(home)
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        "fastai:#partial": ("partial", "re-get"),
        "fastai:data/pets": ("complete", "re-get"),
    }


def test_a_folder_that_the_settings_moved_keeps_its_kind(home: Path) -> None:
    makers.write(home / ".fastai" / "config.ini", f"[DEFAULT]\ndata = {home}/big\nmodel = {home}/nets\n")
    makers.write(home / "big" / "pets" / "cat.jpg")
    makers.write(home / "nets" / "mine.pkl")
    found = makers.artifacts(home)
    assert {name: (each.kind, each.recovery) for name, each in found.items()} == {
        "fastai:data/pets": ("dataset", "re-get"),
        "fastai:models/mine.pkl": ("model", "none"),
    }


def test_the_downloader_alone_has_a_folder_of_its_own(home: Path) -> None:
    makers.write(home / ".fastdownload" / "config.ini", "[DEFAULT]\ndata = data\narchive = archive\n")
    makers.write(home / ".fastdownload" / "archive" / "pets.tgz", b"z" * 4000)
    makers.write(home / ".fastdownload" / "data" / "pets" / "cat.jpg")
    assert {name: each.recovery for name, each in makers.artifacts(home).items()} == {
        "fastai:archive/pets.tgz": "re-get",
        "fastai:data/pets": "re-make",
    }


def test_a_broken_settings_file_is_a_problem_and_the_defaults_count(home: Path) -> None:
    makers.write(home / ".fastai" / "config.ini", "[[[")
    found = api.survey({}, home, "linux", system=False)
    assert [problem.code for problem in found.problems] == ["unreadable-settings"]
    assert next(iter(fastai.roots({}, home, "linux"))) == found.problems[0]
    assert Root(f"{home}/.fastai/archive", "default") in list(fastai.roots({}, home, "linux"))

"""Conda environments with real packages from a channel of this machine: frozen, built again, proven."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from capsules.making import base_python, frozen, problem, run, unpacked
from modelyard.api.environments import Proof, proof_of, prove, restore
from modelyard.capsules.conda import conda_packages
from modelyard.capsules.proof import Proven
from modelyard.capsules.restore import Restored
from modelyard.units import SECOND

PROGRAM = Path(__file__).parent / "channel.py"
WORDS = ("--no-deps", "--disable-pip-version-check", "-q")


def rattler(folder: Path, *words: object) -> None:
    """Runs the installer with a home of its own."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "RATTLER_CACHE_DIR": str(folder / "rattler")}
    run(sys.executable, PROGRAM, *words, env=variables)


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with a Python and a tool in two versions."""
    folder = tmp_path_factory.mktemp("channel")
    rattler(folder, "build", folder / "built", base_python())
    return folder / "built"


@pytest.fixture
def env(env: dict[str, str], home: Path) -> dict[str, str]:
    """The variables of installers; the tool's own cache lies in the home."""
    return env | {"RATTLER_CACHE_DIR": str(home / "rattler")}


@pytest.fixture
def prefix(channel: Path, home: Path, env: dict[str, str], private: Path) -> Path:
    """An environment with an older tool, and packages of pip on top."""
    made = home / "miniconda3" / "envs" / "vision"
    rattler(home, "install", channel, made, "python", "trainer ==1.0")
    run(made / "bin" / "python", "-m", "pip", "install", *WORDS, "public==1.0", private, env=env)
    private.unlink()
    return made


def packages(prefix: Path) -> dict[str, str]:
    """What conda-meta says is there."""
    found, problems, _ = conda_packages(bytes(prefix))
    assert problems == []
    return {each.name: f"{each.version} {each.build} {each.sha256}" for each in found}


def test_an_environment_comes_back_with_both_kinds_of_packages(prefix: Path, env: dict[str, str], home: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    assert (capsule.capsule.kind, capsule.capsule.name) == ("conda", "vision")
    again = restore(capsule, home / "again", env, home)
    assert isinstance(again, Restored), again
    assert packages(home / "again") == packages(prefix)
    assert set(packages(prefix)) == {"codec", "python", "trainer"}
    assert (home / "again" / "bin" / "trainer").read_text() == f"{home / 'again'}\n"
    word = run(home / "again" / "bin" / "python", "-c", "import localpkg; print(localpkg.WORD)", env=env)
    assert word == "mine\n"


def test_the_explicit_list_is_that_of_conda(prefix: Path, channel: Path, home: Path) -> None:
    lines = unpacked(frozen(prefix, home / "capsules").path)["conda-explicit.txt"].decode().splitlines()
    entries = lines[lines.index("@EXPLICIT") + 1 :]
    known: dict[str, str] = {}
    for subdir in ("noarch", "linux-64"):
        told = json.loads((channel / subdir / "repodata.json").read_text())
        known |= {name: each["md5"] for name, each in told["packages.conda"].items()}
    for line in entries:
        url, _, md5 = line.partition("#")
        assert url.startswith(channel.as_uri())
        assert known[url.rpartition("/")[2]] == md5
    assert [line.rpartition("/")[2].split("-")[0] for line in entries].index("codec") < len(entries) - 1
    assert "trainer-1.0" in entries[-1]


def test_what_conda_brought_is_not_what_pip_brought(prefix: Path, home: Path) -> None:
    sources = {each.name: each.source for each in frozen(prefix, home / "capsules").capsule.packages}
    assert sources.pop("pip") == sources.pop("setuptools") == "conda"
    assert sources == {"public": "index", "localpkg": "inside"}


def test_it_is_proven_until_something_changes(prefix: Path, env: dict[str, str], home: Path, channel: Path) -> None:
    folder = home / "capsules"
    capsule = frozen(prefix, folder)
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert (proof.differences, proof.notes) == ([], [])
    now = time.time_ns()
    assert proof_of(prefix, folder, now, 60 * SECOND) == Proven(capsule.path, proof)
    shutil.rmtree(prefix)
    rattler(home, "install", channel, prefix, "python", "trainer ==2.0")
    assert problem(proof_of(prefix, folder, now, 60 * SECOND)).code == "unproven"


@pytest.mark.parametrize("how", ["CONDA_EXE", "PATH"])
def test_conda_itself_is_asked_where_it_is(how: str, prefix: Path, env: dict[str, str], home: Path) -> None:
    """A stand-in for conda, which is in no package registry: it takes the words and the list that conda takes."""
    program = home / "bin" / "conda"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntouch {home}/asked\nexec {sys.executable} {PROGRAM} "$@"\n')
    program.chmod(0o755)
    told = {"CONDA_EXE": str(program)} if how == "CONDA_EXE" else {"PATH": f"{program.parent}:{env['PATH']}"}
    again = restore(frozen(prefix, home / "capsules"), home / "again", env | told, home)
    assert isinstance(again, Restored), again
    assert (home / "asked").exists()
    assert packages(home / "again") == packages(prefix)


def test_without_conda_the_error_says_what_to_install(
    prefix: Path, env: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = problem(restore(frozen(prefix, home / "capsules"), home / "again", env, home))
    assert (found.code, "micromamba" in found.hint) == ("no-conda", True)
    assert not (home / "again").exists()


def test_a_package_that_changed_in_its_channel_is_refused(
    prefix: Path, env: dict[str, str], home: Path, channel: Path
) -> None:
    capsule = frozen(prefix, home / "capsules")
    (archive,) = channel.glob("noarch/codec-*.conda")
    (other,) = channel.glob("noarch/trainer-2.0-*.conda")
    whole = archive.read_bytes()
    try:
        archive.write_bytes(other.read_bytes())
        shutil.rmtree(home / "rattler")
        assert problem(restore(capsule, home / "again", env, home)).code == "failed"
    finally:
        archive.write_bytes(whole)
    assert not (home / "again").exists()


def test_a_token_of_a_channel_is_not_written(prefix: Path, home: Path) -> None:
    for path in prefix.glob("conda-meta/*.json"):
        told = json.loads(path.read_text())
        told["url"] = f"https://user:SWORDFISH@conda.example.org/t/to-SWORDFISH/main/noarch/{told['fn']}?key=SWORDFISH"
        path.write_text(json.dumps(told))
    capsule = frozen(prefix, home / "capsules")
    assert not any(b"SWORDFISH" in data for data in unpacked(capsule.path).values())
    assert all(each.url.startswith("https://conda.example.org/main/noarch/") for each in capsule.capsule.conda)
    assert any("a secret was taken out" in each for each in capsule.capsule.said)


def test_a_damaged_note_of_conda_is_said(prefix: Path, home: Path) -> None:
    (path,) = prefix.glob("conda-meta/codec-*.json")
    for text in (b"", b"{", b"[]", b'{"name": "--x", "version": "1"}', b"\xff\xfe", b'{"name": 7}'):
        path.write_bytes(text)
        capsule = frozen(prefix, home / "capsules").capsule
        assert [each.name for each in capsule.conda] == ["python", "trainer"], text
        assert any("is not understood" in each for each in capsule.said), text

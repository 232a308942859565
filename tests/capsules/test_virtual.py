"""Virtual environments with real packages: frozen, built again, proven."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

import oracle
from capsules.making import frozen, listed, problem, run, unpacked, variables, venv, wheel
from modelyard.api.environments import Proof, proof_of, prove, restore
from modelyard.capsules.proof import Proven, side_file
from modelyard.capsules.restore import Restored
from modelyard.units import SECOND

DAY = 86400 * SECOND


def sight(folder: Path) -> dict[str, tuple[int, ...]]:
    """Every name below a folder with what a look at it could change: times of reading and writing, and contents."""
    return {
        str(path): (seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)
        for path in [folder, *oracle.below(folder)]
        for seen in [path.lstat()]
    }


def test_an_environment_comes_back_with_every_version(prefix: Path, env: dict[str, str], home: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    again = home / "again"
    assert restore(capsule, again, env, home) == Restored(again, ())
    assert listed(again, env) == listed(prefix, env) >= {"public==1.0", "other==3.1", "localpkg==1.0+mine"}
    assert run(again / "bin" / "localtool", env=env).split() == ["mine", str(again)]
    assert (again / "share" / "localpkg" / "notes.txt").read_text() == "notes\n"
    assert list(again.glob("include/site/python3*/localpkg/localpkg.h"))
    assert run(again / "bin" / "python", "-c", "import public; print(public.WORD)", env=env) == "public\n"


def test_what_no_package_brought_comes_back_too(prefix: Path, env: dict[str, str], home: Path) -> None:
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "copied.py").write_text("WORD = 'copied'\n")
    (site / "public" / "added").mkdir()
    (site / "public" / "added" / "notes.txt").write_text("notes\n")
    (site / "secret_token").write_text("SWORDFISH")
    (site / "huge.bin").write_bytes(b"")
    os.truncate(site / "huge.bin", 5 << 20)
    capsule = frozen(prefix, home / "capsules")
    kept = [each.name.rpartition("/")[2] for each in capsule.capsule.members if each.name.startswith("loose/")]
    assert sorted(kept) == ["copied.py", "notes.txt"]
    for name in ("secret_token", "huge.bin"):
        assert any(name in each for each in capsule.capsule.said)
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert proof.differences == []
    assert isinstance(restore(capsule, home / "again", env, home), Restored)
    assert run(home / "again" / "bin" / "python", "-c", "import copied; print(copied.WORD)", env=env) == "copied\n"
    (site / "copied.py").write_text("WORD = 'changed'\n")
    assert problem(proof_of(prefix, home / "capsules", time.time_ns(), DAY)).code == "unproven"


def test_a_capsule_can_be_read_by_eyes_and_by_pip(prefix: Path, home: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    assert capsule.path.name == f"work-venv-{capsule.capsule.digest[:12]}.zip"
    members = unpacked(capsule.path)
    told = json.loads(members["capsule.json"])
    assert (told["kind"], told["schema_version"], told["implementation"]) == ("venv", 1, "CPython")
    assert told["python"] == run(prefix / "bin" / "python", "-c", "import platform; print(platform.python_version())",
                                 env=variables(home)).strip()  # fmt: skip
    packages = {each["name"]: each for each in told["packages"]}
    assert packages["public"]["source"] == "index"
    assert packages["other"]["imports"] == ["single", "spaces.other"]
    assert packages["localpkg"]["source"] == "inside"
    assert packages["localpkg"]["wheel"] in members
    lines = members["requirements.txt"].decode().splitlines()
    assert {"public==1.0", "other==3.1"} < set(lines)


def test_pip_installs_what_is_inside_without_an_index(prefix: Path, env: dict[str, str], home: Path) -> None:
    """The wheel that was built again is a wheel for others too, with the very bytes that were installed."""
    capsule = frozen(prefix, home / "capsules")
    name, data = next((name, data) for name, data in unpacked(capsule.path).items() if name.startswith("wheels/"))
    (home / Path(name).name).write_bytes(data)
    elsewhere = venv(home / "elsewhere", variables(home), home / Path(name).name)
    for each in ("localpkg/__init__.py", "localpkg/data.bin"):
        (there,) = elsewhere.glob(f"lib/python*/site-packages/{each}")
        (here,) = prefix.glob(f"lib/python*/site-packages/{each}")
        assert there.read_bytes() == here.read_bytes()
    assert run(elsewhere / "bin" / "python", "-m", "pip", "check", env=env).startswith("No broken")


def test_freezing_changes_nothing_and_starts_nothing(prefix: Path, home: Path) -> None:
    canary = home / "started"
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (prefix / "bin" / "python").chmod(0o755)
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "evil.pth").write_text(f"import os; os.system('touch {canary}')\n")
    before = sight(prefix)
    frozen(prefix, home / "capsules")
    assert not canary.exists()
    assert sight(prefix) == before


def test_an_environment_whose_python_is_gone_comes_back(prefix: Path, env: dict[str, str], home: Path) -> None:
    there = listed(prefix, env)
    for each in prefix.glob("bin/python*"):
        each.unlink()
    settings = prefix / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace("home = /", "home = /gone/"))
    assert isinstance(restore(frozen(prefix, home / "capsules"), home / "again", env, home), Restored)
    assert listed(home / "again", env) == there


def test_an_environment_without_pip_comes_back_without_it(env: dict[str, str], home: Path) -> None:
    bare = venv(home / "bare", env, "public==1.0")
    run(bare / "bin" / "python", "-m", "pip", "uninstall", "-q", "-y", "setuptools", "pip", env=env)
    capsule = frozen(bare, home / "capsules")
    assert [each.name for each in capsule.capsule.packages] == ["public"]
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert proof.differences == []


def test_a_proof_holds_until_something_changes(prefix: Path, env: dict[str, str], home: Path) -> None:
    folder = home / "capsules"
    capsule = frozen(prefix, folder)
    assert problem(proof_of(prefix, folder, time.time_ns(), DAY)).message == "its capsule was not proven yet"
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert (proof.differences, proof.notes) == ([], [])
    assert sorted(each.name for each in folder.iterdir()) == [side_file(capsule.path).name, capsule.path.name]
    now = time.time_ns()
    assert proof_of(prefix, folder, now, DAY) == Proven(capsule.path, proof)
    assert problem(proof_of(prefix, folder, now + 2 * DAY, DAY)).message == "its proof is too old"
    assert problem(proof_of(prefix, folder, now - DAY, DAY)).message == "its proof is too old"
    with capsule.path.open("ab") as file:
        file.write(b"\0")
    assert "changed after it was proven" in problem(proof_of(prefix, folder, now, DAY)).message
    os.truncate(capsule.path, capsule.path.stat().st_size - 1)
    run(prefix / "bin" / "python", "-m", "pip", "install", "-q", "public==2.0", env=env)
    assert problem(proof_of(prefix, folder, now, DAY)).message == "no capsule of it is there"


def test_what_an_index_no_longer_has_is_not_proven(
    prefix: Path, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    capsule = frozen(prefix, home / "capsules")
    shutil.rmtree(tmp_path / "index" / "simple" / "other")
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert not proof.holds
    assert "other" in proof.differences[0]
    assert "failed" in problem(proof_of(prefix, home / "capsules", time.time_ns(), DAY)).message
    assert len(list((home / "capsules").iterdir())) == 2, "nothing of the attempt is left"


def test_a_module_that_cannot_be_imported_is_not_proven(home: Path, env: dict[str, str], tmp_path: Path) -> None:
    broken = wheel(tmp_path, "broken", "1.0+local", {"broken/__init__.py": b"import what_is_not_there\n"})
    capsule = frozen(venv(home / "e", env, broken), home / "capsules")
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert len(proof.differences) == 1
    assert "what_is_not_there" in proof.differences[0]


def test_the_same_version_with_other_files_is_told(
    prefix: Path, env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    capsule = frozen(prefix, home / "capsules")
    place = tmp_path / "index" / "simple" / "public"
    shutil.rmtree(place)
    changed = wheel(place, "public", "1.0", {"public/__init__.py": b"WORD = 'something else'\n"})
    (place / "index.html").write_text(f'<a href="{changed.name}">{changed.name}</a>')
    proof = prove(capsule, env, home)
    assert isinstance(proof, Proof)
    assert proof.notes == ["public==1.0: the same version with other files"]


@pytest.mark.parametrize("how", ["query", "password", "index"])
def test_no_token_of_an_address_is_written(
    how: str, prefix: Path, env: dict[str, str], home: Path, index: str, private: Path
) -> None:
    secret = "s3cr3t-t0k3n"
    if how == "index":
        address = env["PIP_INDEX_URL"].replace("http://", f"http://user:{secret}@")
        run(
            prefix / "bin" / "python", "-m", "pip", "install", "-q", "public==2.0", env=env | {"PIP_INDEX_URL": address}
        )
    else:
        host = f"user:{secret}@example.org" if how == "password" else "example.org"
        (info,) = prefix.glob("lib/python*/site-packages/localpkg-*.dist-info")
        tail = f"?token={secret}" if how == "query" else ""
        note = {"url": f"https://{host}/localpkg-1.0-py3-none-any.whl{tail}", "archive_info": {}}
        (info / "direct_url.json").write_text(json.dumps(note))
    capsule = frozen(prefix, home / "capsules")
    assert not any(secret.encode() in data for data in unpacked(capsule.path).values())
    assert secret.encode() not in capsule.path.read_bytes()
    if how != "index":
        assert "localpkg: a secret was taken out of its address" in capsule.capsule.said

"""Capsules that come from somewhere: changed, torn, hostile, or no capsules at all."""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from capsules.making import frozen, problem, unpacked
from capsules.test_dangers import SITE, package
from modelyard.api.environments import Opened, opened
from modelyard.capsules.capsule import Capsule, CondaPackage, Member, Package, Sources, encode


@pytest.fixture
def capsule(home: Path) -> Opened:
    """A healthy capsule with a wheel inside."""
    (home / "env" / SITE).mkdir(parents=True)
    (home / "env" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    package(home / "env", "mine", {"mine.py": b"WORD = 1\n" * 1000})
    return frozen(home / "env", home / "capsules")


def packed(path: Path, members: dict[str, bytes]) -> Path:
    """A zip file of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def altered(capsule: Opened, path: Path, **fields: object) -> Path:
    """A capsule with other words and a digest that fits them."""
    said = msgspec.structs.replace(capsule.capsule, **fields).sealed()
    return packed(path, unpacked(capsule.path) | {"capsule.json": encode(said)})


def test_packed_again_by_another_program_it_is_the_same_capsule(capsule: Opened, home: Path) -> None:
    again = opened(packed(home / "again.zip", unpacked(capsule.path)))
    assert isinstance(again, Opened)
    assert again.capsule == capsule.capsule


@pytest.mark.parametrize("name", ["capsule.json", "requirements.txt", "wheel"])
def test_a_changed_member_is_refused(name: str, capsule: Opened, home: Path) -> None:
    members = unpacked(capsule.path)
    each = next(key for key in members if key == name or (name == "wheel" and key.startswith("wheels/")))
    members[each] = members[each].replace(b"1", b"2", 1)
    assert "changed" in problem(opened(packed(home / "bad.zip", members))).message


def test_a_member_more_or_less_is_refused(capsule: Opened, home: Path) -> None:
    members = unpacked(capsule.path)
    more = packed(home / "more.zip", members | {"wheels/evil-1.0-py3-none-any.whl": b""})
    assert "not those that it names" in problem(opened(more)).message
    del members["requirements.txt"]
    assert "not those that it names" in problem(opened(packed(home / "less.zip", members))).message


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/etc/passwd", "..\\up", "wheels/.."])
def test_a_member_that_leads_outside_is_refused(name: str, capsule: Opened, home: Path) -> None:
    bad = packed(home / "bad.zip", unpacked(capsule.path) | {name: b"x"})
    assert "leads outside" in problem(opened(bad)).message
    assert not (home.parent / "up").exists()


def test_a_loose_file_elsewhere_is_refused(capsule: Opened, home: Path) -> None:
    told = [*capsule.capsule.members, Member("loose/bin/python", 1, hashlib.sha256(b"x").hexdigest())]
    said = msgspec.structs.replace(capsule.capsule, members=told).sealed()
    members = unpacked(capsule.path) | {"loose/bin/python": b"x", "capsule.json": encode(said)}
    assert "not where it belongs" in problem(opened(packed(home / "bad.zip", members))).message


def test_a_member_twice_is_refused(capsule: Opened, home: Path) -> None:
    bad = packed(home / "bad.zip", unpacked(capsule.path))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(bad, "a") as archive:
        archive.writestr("requirements.txt", b"evil")
    assert "twice" in problem(opened(bad)).message


def test_a_zip_bomb_is_not_unpacked(capsule: Opened, home: Path) -> None:
    """A member that says it is small and unpacks to a gigabyte: reading stops at what the capsule said."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join([*(squeezer.compress(bytes(1 << 20)) for _ in range(1024)), squeezer.flush()])
    members = unpacked(capsule.path)
    members["requirements.txt"] = bytes(100)
    told = [Member(each, len(data), hashlib.sha256(data).hexdigest())
            for each, data in members.items() if each != "capsule.json"]  # fmt: skip
    members["capsule.json"] = encode(msgspec.structs.replace(capsule.capsule, members=told).sealed())
    bad = home / "bomb.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, bomb if name == "requirements.txt" else data)
        archive.getinfo("requirements.txt").compress_type = zipfile.ZIP_DEFLATED
        archive.getinfo("requirements.txt").file_size = 1 << 30
    before = _peak()
    assert "may" in problem(opened(bad)).message
    assert _peak() - before < 64 << 10, "KiB"


def _peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_capsule_that_says_it_is_a_bomb_is_refused(capsule: Opened, home: Path) -> None:
    huge = [msgspec.structs.replace(each, size=1 << 40) for each in capsule.capsule.members]
    assert "more than a capsule holds" in problem(opened(altered(capsule, home / "bad.zip", members=huge))).message


HOSTILE: dict[str, Callable[[Capsule], dict[str, object]]] = {
    "an option for a name": lambda c: {"packages": [Package("--index-url=x", "1", "index")]},
    "an option for a version": lambda c: {"packages": [Package("x", "1 --index-url=x", "index")]},
    "a second line": lambda c: {"packages": [Package("x", "1\n--pre", "index")]},
    "a command for an address": lambda c: {"packages": [Package("x", "1", "url", url="ext::sh -c true")]},
    "an option for an address": lambda c: {"packages": [Package("x", "1", "url", url="--upload-pack=x")]},
    "an option for a commit": lambda c: {"packages": [Package("x", "1", "url", url="https://a/b", commit="--x")]},
    "an option for a hash": lambda c: {"packages": [Package("x", "1", "index", hashes=["sha256:0 --pre"])]},
    "code for a module": lambda c: {"packages": [Package("x", "1", "index", imports=["os; print(1)"])]},
    "a wheel elsewhere": lambda c: {"packages": [Package("x", "1", "inside", wheel="../x.whl")]},
    "sources elsewhere": lambda c: {"sources": [Sources("../x", "/")]},
    "a patch elsewhere": lambda c: {"sources": [Sources("x", "/", patch="../../x")]},
    "an option for sources": lambda c: {"sources": [Sources("x", "/", commit="--upload-pack=x")]},
    "a conda package of a command": lambda c: {"conda": [CondaPackage("x", "1", "0", "--x")]},
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_a_hostile_capsule_is_refused(kind: str, capsule: Opened, home: Path) -> None:
    bad = altered(capsule, home / "bad.zip", **HOSTILE[kind](capsule.capsule))
    assert problem(opened(bad)).code == "strange-capsule"


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6" + bytes(18), os.urandom(5000), b"{}"])
def test_what_is_no_capsule_is_said(data: bytes, home: Path) -> None:
    (home / "x.zip").write_bytes(data)
    assert problem(opened(home / "x.zip")).code == "strange-capsule"


def test_a_pipe_is_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "x.zip")
    assert problem(opened(home / "x.zip")).code == "not-a-file"


def test_a_capsule_that_is_not_there(home: Path) -> None:
    assert problem(opened(home / "x.zip")).code == "no-capsule"


def test_a_torn_capsule_is_refused_wherever_it_is_torn(capsule: Opened, home: Path) -> None:
    whole = capsule.path.read_bytes()
    for length in range(0, len(whole) - 1, 13):
        (home / "torn.zip").write_bytes(whole[:length])
        assert problem(opened(home / "torn.zip"))


def test_a_flipped_byte_changes_nothing_or_is_refused(capsule: Opened, home: Path) -> None:
    whole = capsule.path.read_bytes()
    for at in range(0, len(whole), 7):
        (home / "bad.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        found = opened(home / "bad.zip")
        assert not isinstance(found, Opened) or found.capsule == capsule.capsule, at


def test_an_encrypted_member_is_refused(capsule: Opened, home: Path) -> None:
    data = bytearray(capsule.path.read_bytes())
    at = data.find(b"PK\1\2")
    struct.pack_into("<H", data, at + 8, struct.unpack_from("<H", data, at + 8)[0] | 1)
    (home / "bad.zip").write_bytes(data)
    assert problem(opened(home / "bad.zip")).code == "strange-capsule"


def test_a_capsule_of_a_later_version_is_refused(capsule: Opened, home: Path) -> None:
    assert "version 9" in problem(opened(altered(capsule, home / "new.zip", schema_version=9))).message

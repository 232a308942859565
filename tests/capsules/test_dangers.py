"""Environments that are damaged or hostile: what of them is certain is frozen, the rest is said."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsules.making import digest, frozen, problem
from modelyard.api.environments import Opened, write_capsule
from modelyard.capsules.records import CAP
from walk.disks import mounted

SITE = "lib/python3.11/site-packages"


@pytest.fixture
def prefix(home: Path) -> Path:
    """An environment made by hand with one package that no index has."""
    made = home / "env"
    (made / SITE).mkdir(parents=True)
    (made / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    package(made, "mine", {"mine/__init__.py": b"WORD = 1\n"})
    return made


def package(
    prefix: Path, name: str, files: dict[str, bytes], extra: str = "", title: str = "", version: str = "1.0+local"
) -> Path:
    """Installs a package by hand; its metadata folder."""
    info = prefix / SITE / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    for path, data in files.items():
        (prefix / SITE / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / SITE / path).write_bytes(data)
    metadata = f"Metadata-Version: 2.1\nName: {title or name}\nVersion: {version}\n".encode()
    tags = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    known = files | {f"{info.name}/METADATA": metadata, f"{info.name}/WHEEL": tags}
    (info / "METADATA").write_bytes(metadata)
    (info / "WHEEL").write_bytes(tags)
    lines = [f"{path},sha256={digest(data)},{len(data)}" for path, data in known.items()]
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]) + "\n" + extra)
    return info


def said(capsule: Opened) -> str:
    """What the capsule says, in one text."""
    return "\n".join(capsule.capsule.said)


def names(capsule: Opened) -> dict[str, str]:
    """Where each package comes back from."""
    return {each.name: each.source for each in capsule.capsule.packages}


def test_what_is_healthy_is_kept(prefix: Path, home: Path) -> None:
    capsule = frozen(prefix, home / "capsules")
    assert (names(capsule), said(capsule)) == ({"mine": "inside"}, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("../../../../secret,sha256=AAAA,1\n", "outside the environment"),
        ("/etc/passwd,sha256=AAAA,1\n", "outside the environment"),
        ("..\\..\\..\\..\\secret,sha256=AAAA,1\n", "outside the environment"),
        ("one,two\n", "damaged"),
        ("name,sha256=AAAA,many\n", "damaged"),
        ('"unclosed,sha256=', "damaged"),
    ],
)
def test_a_hostile_or_broken_record_gives_no_wheel(line: str, words: str, prefix: Path, home: Path) -> None:
    (home / "secret").write_bytes(b"x")
    package(prefix, "bad", {"bad.py": b""}, line)
    capsule = frozen(prefix, home / "capsules")
    assert words in said(capsule)
    assert names(capsule) == {"bad": "index", "mine": "inside"}
    assert sorted(each.name.partition("/")[2] for each in capsule.capsule.members if "/" in each.name) == [
        f"{SITE}/bad.py",  # as a file that no package brought
        "mine-1.0-py3-none-any.whl",
    ]


def test_a_link_to_a_secret_is_no_way_to_have_it_copied(prefix: Path, home: Path) -> None:
    (home / "secret").write_bytes(b"the secret")
    package(prefix, "bad", {"bad.py": b"code\n"})
    (prefix / SITE / "bad.py").unlink()
    (prefix / SITE / "bad.py").symlink_to(home / "secret")
    capsule = frozen(prefix, home / "capsules")
    assert "its hash is not that of RECORD" in said(capsule)
    assert b"the secret" not in capsule.path.read_bytes()


def test_a_file_that_was_edited_is_kept_as_it_is(prefix: Path, home: Path) -> None:
    (prefix / SITE / "mine" / "__init__.py").write_text("WORD = 2\n")
    capsule = frozen(prefix, home / "capsules")
    assert "mine/__init__.py is not what was installed" in said(capsule)
    (wheel,) = [each.name for each in capsule.capsule.members if each.name.endswith(".whl")]
    with zipfile.ZipFile(io.BytesIO(capsule.member(wheel))) as archive:
        assert archive.read("mine/__init__.py") == b"WORD = 2\n"


@pytest.mark.parametrize("how", ["longer", "as long", "removed"])
def test_an_edited_package_of_an_index_is_kept_too(how: str, prefix: Path, home: Path) -> None:
    info = package(prefix, "public", {"public.py": b"WORD = 1\n", "more.py": b""}, version="1.0")
    os.utime(info / "RECORD", (1_000_000, 1_000_000))
    for path in prefix.rglob("*.py"):
        os.utime(path, (1_000_000, 1_000_000))
    assert names(frozen(prefix, home / "capsules"))["public"] == "index"
    if how == "removed":
        (prefix / SITE / "public.py").unlink()
    else:
        (prefix / SITE / "public.py").write_bytes(b"WORD = 2\n" + b"#" * (how == "longer"))
    capsule = frozen(prefix, home / "capsules")
    assert names(capsule)["public"] == "inside"
    assert "changed after it was installed" in said(capsule)


def test_missing_metadata_is_said(prefix: Path, home: Path) -> None:
    (package(prefix, "bad", {}) / "METADATA").unlink()
    assert "without readable metadata" in said(frozen(prefix, home / "capsules"))


def test_missing_records_are_said(prefix: Path, home: Path) -> None:
    (package(prefix, "bad", {}) / "RECORD").unlink()
    capsule = frozen(prefix, home / "capsules")
    assert "without a readable RECORD" in said(capsule)
    assert names(capsule)["bad"] == "index"


@pytest.mark.parametrize(
    "title", ["--index-url=http://evil.example", "a b", "../up", "-r", "x @ http://evil.example", "é"]
)
def test_a_name_that_pip_would_take_for_an_option_is_no_package(title: str, prefix: Path, home: Path) -> None:
    package(prefix, "bad", {}, title=title)
    capsule = frozen(prefix, home / "capsules")
    assert names(capsule) == {"mine": "inside"}
    assert "no proper name and version" in said(capsule)


def test_metadata_that_is_not_utf8_is_read_as_far_as_it_goes(prefix: Path, home: Path) -> None:
    info = package(prefix, "odd", {})
    (info / "METADATA").write_bytes(
        b"Metadata-Version: 2.1\r\nAuthor: \xff\xfe\r\nName: odd\r\nVersion: 1.0\r\n\r\nName: no\r\n"
    )
    assert "odd" in names(frozen(prefix, home / "capsules"))


def test_names_in_a_record_that_are_not_utf8_stop_nothing(prefix: Path, home: Path) -> None:
    info = package(prefix, "odd", {"odd.py": b""})
    with (info / "RECORD").open("ab") as file:
        file.write(b"odd-\xff.py,sha256=AAAA,1\n")
    capsule = frozen(prefix, home / "capsules")
    assert [each.imports for each in capsule.capsule.packages if each.name == "odd"] == [["odd"]]


def test_a_huge_record_is_not_read(prefix: Path, home: Path) -> None:
    info = package(prefix, "huge", {})
    os.truncate(info / "RECORD", CAP + 1)
    assert "without a readable RECORD" in said(frozen(prefix, home / "capsules"))


def test_a_huge_package_is_said_to_be_outside(prefix: Path, home: Path) -> None:
    info = package(prefix, "huge", {})
    with (info / "RECORD").open("a") as file:
        file.write(f"huge.bin,sha256=AAAA,{10**15}\n")
    assert "more than a capsule keeps" in said(frozen(prefix, home / "capsules"))


@pytest.mark.parametrize("name", ["METADATA", "RECORD", "direct_url.json", "WHEEL"])
def test_a_pipe_in_place_of_a_file_does_not_wait(name: str, prefix: Path, home: Path) -> None:
    info = package(prefix, "pipe", {})
    (info / name).unlink(missing_ok=True)
    os.mkfifo(info / name)
    assert "pipe" in said(frozen(prefix, home / "capsules"))


def test_a_strange_direct_url_is_said(prefix: Path, home: Path) -> None:
    (package(prefix, "odd", {}) / "direct_url.json").write_text('{"url": 7}')
    assert "where it came from is not understood" in said(frozen(prefix, home / "capsules"))


def test_a_folder_that_is_no_environment(home: Path) -> None:
    assert problem(write_capsule(home, home / "capsules")).code == "no-environment"
    assert not (home / "capsules").exists()


def test_a_folder_that_is_not_there(home: Path) -> None:
    assert problem(write_capsule(home / "gone", home / "capsules")).code == "no-environment"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for little."""
    with mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=256k") as folder:
        yield folder


def test_no_space_leaves_nothing(small: Path, prefix: Path) -> None:
    package(prefix, "big", {"big.bin": os.urandom(1 << 20)})
    found = problem(write_capsule(prefix, small / "capsules"))
    assert found.code == "no-space"
    assert list((small / "capsules").iterdir()) == []


def test_a_disk_without_a_single_byte_leaves_nothing(small: Path, prefix: Path) -> None:
    (small / "capsules").mkdir()
    with pytest.raises(OSError, match="No space"):
        (small / "filler").write_bytes(bytes(1 << 20))
    assert problem(write_capsule(prefix, small / "capsules")).code == "no-space"
    assert list((small / "capsules").iterdir()) == []


def test_a_capsule_is_never_written_over_something(prefix: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.capsules.freeze._now", lambda: "2026-01-01T00:00:00Z")
    first = frozen(prefix, home / "capsules")
    before = first.path.stat()
    assert frozen(prefix, home / "capsules") == first
    assert first.path.stat() == before
    first.path.write_bytes(b"something else")
    assert "File exists" in problem(write_capsule(prefix, home / "capsules")).message
    assert first.path.read_bytes() == b"something else"
    assert list(first.path.parent.iterdir()) == [first.path]

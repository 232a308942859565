"""Tar archives: links are judged by where they lead, and headers walked as tarfile walks them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from safety.judged import codes, scanned
from safety.payloads import system


@pytest.fixture
def evil(tmp_path: Path) -> bytes:
    """A pickle that would leave a marker."""
    return system(tmp_path / "marker") + b"."


SYMBOLIC, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
Member = tuple[str, bytes, str | bytes]


def made(*members: Member) -> bytes:
    """An archive of files, by their bytes, and of links, by where they lead."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, what in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(what, str):
                info.linkname = what
            else:
                info.size = len(what)
            archive.addfile(info, io.BytesIO(what) if isinstance(what, bytes) else None)
    return out.getvalue()


WORDS = ("blobs/ab", tarfile.REGTYPE, b"words")


@pytest.mark.parametrize(
    "links",
    [
        [("snapshots/1/model.safetensors.txt", SYMBOLIC, "../../blobs/ab")],
        [("copy", HARD, "blobs/ab")],
        [("lib64", SYMBOLIC, "lib")],
        [("here", SYMBOLIC, "."), ("a/top", SYMBOLIC, "..")],
        [("long", SYMBOLIC, "./" + "x/" * 80 + "y")],
        [("one", SYMBOLIC, "two"), ("two", SYMBOLIC, "blobs/ab")],
    ],
)
def test_links_that_stay_inside_are_no_findings(tmp_path: Path, links: list[Member]) -> None:
    assert scanned(tmp_path, made(WORDS, *links), "m.tar").findings == ()


@pytest.mark.parametrize(
    "links",
    [
        [("a", SYMBOLIC, "/etc/passwd")],
        [("a", SYMBOLIC, "../up")],
        [("a/b", SYMBOLIC, "../../up")],
        [("a", HARD, "../up")],
        [("a", SYMBOLIC, "C:\\up")],
        [("a/b", SYMBOLIC, "..\\..\\up")],
        [("x/y/root", SYMBOLIC, "../.."), ("out", SYMBOLIC, "x/y/root/..")],
        [("x/y/root", SYMBOLIC, "../.."), ("out", SYMBOLIC, "X/Y/ROOT/..")],
        [("x/y/root", SYMBOLIC, "../.."), ("x/y/root/out", SYMBOLIC, "../..")],
        [("d/up", SYMBOLIC, "../blobs"), ("up", HARD, "d/up")],
        [("a", SYMBOLIC, "x/" * 2000 + "y")],
    ],
)
def test_links_that_lead_outside(tmp_path: Path, links: list[Member]) -> None:
    told = scanned(tmp_path, made(WORDS, *links), "m.tar")
    assert (told.verdict, codes(told)) == ("suspicious", {"path-escape"})


def test_a_member_behind_a_link(tmp_path: Path) -> None:
    """It is written to wherever the link leads."""
    behind: Member = ("a/rc", tarfile.REGTYPE, b"words")
    assert scanned(tmp_path, made(("a", SYMBOLIC, "/etc"), behind), "m.tar").verdict == "dangerous"
    assert scanned(tmp_path, made(("a", SYMBOLIC, "blobs"), behind), "m.tar").verdict == "suspicious"


def test_what_a_link_leads_to_is_read_by_its_name_too(tmp_path: Path) -> None:
    """The same bytes are words as `blobs/ab` and settings as `config.json`."""
    blob: Member = ("blobs/ab", tarfile.REGTYPE, b'{"auto_map": {"AutoModel": "evil.Model"}}')
    link: Member = ("snapshots/1/config.json", SYMBOLIC, "../../blobs/ab")
    assert scanned(tmp_path, made(blob), "m.tar").findings == ()
    told = scanned(tmp_path, made(blob, link), "m.tar")
    assert {(each.code, each.member) for each in told.findings} == {("remote-code", link[0])}
    through: tuple[Member, ...] = (("config.json", SYMBOLIC, "next"), ("next", HARD, "blobs/ab"))
    assert "remote-code" in codes(scanned(tmp_path, made(blob, *through), "m.tar"))


def test_many_links_to_one_member_end(tmp_path: Path) -> None:
    links: list[Member] = [(f"{at}.json", SYMBOLIC, "blobs/ab") for at in range(99)]
    assert scanned(tmp_path, made(WORDS, *links), "m.tar").verdict == "unknown"
    zones: list[Member] = [(f"Europe/Town{at}", HARD, "blobs/ab") for at in range(99)]
    assert scanned(tmp_path, made(WORDS, *zones), "m.tar").findings == ()
    circle: tuple[Member, ...] = (("a", SYMBOLIC, "b"), ("b", SYMBOLIC, "a"))
    assert scanned(tmp_path, made(WORDS, *circle), "m.tar").findings == ()


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.FIFOTYPE, SYMBOLIC, HARD, tarfile.AREGTYPE])
def test_members_hidden_in_the_bytes_of_a_folder(tmp_path: Path, evil: bytes, kind: bytes) -> None:
    """tarfile passes over no bytes of a kind that has none: it finds a pickle where others see a large folder."""
    hidden = made(("m.pkl", tarfile.REGTYPE, evil))
    info = tarfile.TarInfo("folder/")
    info.type, info.size, info.linkname = kind, len(hidden), "m.pkl"
    data = info.tobuf(tarfile.USTAR_FORMAT)
    if kind == tarfile.AREGTYPE:
        data = data[:156] + b"\0" + data[157:]
    (tmp_path / "real.tar").write_bytes(data + hidden)
    with tarfile.open(tmp_path / "real.tar") as archive:
        assert "m.pkl" in archive.getnames()
    assert scanned(tmp_path, data + hidden, "m.tar").verdict == "dangerous"


def test_a_checksum_of_signed_bytes(tmp_path: Path, evil: bytes) -> None:
    """Old writers added them up so, and tarfile believes both."""
    info = tarfile.TarInfo("m\xe9.pkl")
    info.size = len(evil)
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT) + evil.ljust(512, b"\0"))
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    block = bytes(data[:512])
    data[148:156] = b"%06o\0 " % (sum(block) - 256 * sum(each > 127 for each in block))
    (tmp_path / "real.tar").write_bytes(data)
    with tarfile.open(tmp_path / "real.tar") as archive:
        assert len(archive.getnames()) == 1
    assert scanned(tmp_path, bytes(data), "m.bin").verdict == "dangerous"


def test_sizes_and_holes_that_hold_for_all_members_behind(tmp_path: Path) -> None:
    """A header for all of them gives the second one another size too; holes are filled by who reads them."""
    record = b"11 size=99\n"
    head = tarfile.TarInfo("g")
    head.type, head.size = tarfile.XGLTYPE, len(record)
    both = head.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    long = made(("one", tarfile.REGTYPE, b"x" * 99), ("two", tarfile.REGTYPE, b"y" * 512))
    found = [each.offset for each in scanned(tmp_path, both + long, "m.tar").findings if each.severity == "unknown"]
    assert found == [len(both) + 1024]
    assert scanned(tmp_path, made(("holes", tarfile.GNUTYPE_SPARSE, bytes(512))), "m.tar").verdict == "unknown"


def test_archives_inside_archives_without_an_end(tmp_path: Path) -> None:
    data = b"x"
    for _ in range(1200):
        info = tarfile.TarInfo("a")
        info.size = len(data)
        data = info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
    assert "too-deep" in codes(scanned(tmp_path, data, "m.tar"))

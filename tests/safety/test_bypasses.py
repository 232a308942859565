"""Every published way past a scanner, with its source; each payload would leave a marker, and none appears."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from safety.bypasses import GADGETS
from safety.judged import codes, scanned
from safety.payloads import benign, call, name, stacked, stream, system, text, torch_zip, touch


@pytest.fixture
def evil(tmp_path: Path) -> bytes:
    return stream(system(tmp_path / "marker"), protocol=2)


@pytest.mark.parametrize(("module", "qualified", "source"), GADGETS)
def test_a_gadget_that_a_list_did_not_know(tmp_path: Path, module: str, qualified: str, source: str) -> None:
    marker = touch(tmp_path / "marker")
    inst = b"(" + marker + f"i{module}\n{qualified}\n.".encode()
    old = stream(call(name(module, qualified), marker), protocol=2)
    forms = (stream(call(stacked(module, qualified), marker)), old, inst, stream(stacked(module, qualified)))
    for data in forms:
        assert scanned(tmp_path, data).verdict == "dangerous", source


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize("flags", [0x1, 0x20, 0x40, 0x2000])
def test_flags_of_a_zip_member(tmp_path: Path, evil: bytes, flags: int) -> None:
    """CVE-2025-1945, picklescan 0.0.23: the flags say encrypted, torch reads on."""
    data = torch_zip(evil)
    central = data.index(b"PK\x01\x02")
    for places in ((6,), (central + 8,), (6, central + 8)):
        changed = data
        for place in places:
            changed = patched(changed, place, struct.pack("<H", flags))
        assert scanned(tmp_path, changed, "m.pt").verdict == "dangerous"


def test_another_name_in_the_header_of_a_zip_member(tmp_path: Path, evil: bytes) -> None:
    """CVE-2025-1944, picklescan 0.0.23: BadZipFile for Python, no matter for torch."""
    told = scanned(tmp_path, patched(torch_zip(evil), 30, b"Archive"), "m.pt")
    assert told.verdict == "dangerous" and "archive-mismatch" in codes(told)


def test_a_wrong_checksum(tmp_path: Path, evil: bytes) -> None:
    """CVE-2025-10156, picklescan 0.0.31: BadZipFile for Python, no matter for torch."""
    data = torch_zip(evil)
    for place in (14, data.index(b"PK\x01\x02") + 16):
        told = scanned(tmp_path, patched(data, place, b"\1\2\3\4"), "m.pt")
        assert told.verdict == "dangerous" and "archive-mismatch" in codes(told)


def test_pickles_of_any_name_in_an_archive(tmp_path: Path, evil: bytes) -> None:
    """CVE-2025-1889, picklescan 0.0.22: only the usual extensions were looked at."""
    assert scanned(tmp_path, torch_zip(benign(), more={"config.p": evil}), "m.pt").verdict == "dangerous"


@pytest.mark.parametrize("called", ["m.bin", "m.pt", "m.pth", "m.ckpt"])
def test_a_plain_pickle_under_the_name_of_a_torch_file(tmp_path: Path, evil: bytes, called: str) -> None:
    """CVE-2025-10155, picklescan 0.0.31: the torch reader gave up and nobody else looked."""
    assert scanned(tmp_path, evil, called).verdict == "dangerous"


def test_an_invalid_magic_number(tmp_path: Path, evil: bytes) -> None:
    """picklescan #25: torch executes the first stream before it looks at the number."""
    assert scanned(tmp_path, evil + stream(b"K\1"), "m.pt").verdict == "dangerous"


def test_the_first_stream_is_honest_and_a_later_one_is_not(tmp_path: Path, evil: bytes) -> None:
    """picklescan tests/data/malicious10: streams behind the first."""
    assert scanned(tmp_path, benign() * 3 + evil, "m.pt").verdict == "dangerous"


@pytest.mark.parametrize("rest", [b"", b"\xff\xff", b"d", b"X\x04\x00\x00\x00Bad"])
def test_a_stream_that_breaks_behind_the_payload(tmp_path: Path, evil: bytes, rest: bytes) -> None:
    """JFrog and ReversingLabs 2025 (nullifAI): the payload ran before the scanner met the broken end."""
    told = scanned(tmp_path, evil[:-1] + rest)
    assert told.verdict == "dangerous" and "broken-stream" in codes(told)


def test_memo_entries_that_scanners_do_not_follow(tmp_path: Path) -> None:
    """GHSA-9gvj-pp9x-gcfr, picklescan 0.0.29: STACK_GLOBAL with arguments from anywhere."""
    marker = touch(tmp_path / "marker")
    scattered = text("system") + b"\x940" + text("os") + b"\x94" + text("x") + b"0h\x00\x93" + marker + b"\x85R"
    assert scanned(tmp_path, stream(scattered)).verdict == "dangerous"
    assert scanned(tmp_path, stream(b"h\x63" + text("os") + b"\x93")).verdict == "unknown"


def test_a_build_behind_the_call(tmp_path: Path) -> None:
    """GHSA-mhc9-48gj-9gp3, fickling 0.1.8; GHSA-cffv-grgg-g429, fickling 0.1.12."""
    hidden = system(tmp_path / "marker") + b"}" + text("a") + b"K\x01sb"
    assert "dangerous-call" in codes(scanned(tmp_path, stream(hidden)))


@pytest.mark.parametrize("pop", [b"0", b"1", b"01"])
def test_a_result_that_is_thrown_away(tmp_path: Path, pop: bytes) -> None:
    """promptfoo 2026-03, fickling 0.1.10: a call whose result is popped vanished from the syntax tree."""
    made = b"((" if b"0" in pop and b"1" in pop else b"(" if pop == b"1" else b""
    for hidden in (system(tmp_path / "marker"), b"(" + name("os", "system") + touch(tmp_path / "marker") + b"o"):
        assert scanned(tmp_path, stream(made + hidden + pop + b"N")).verdict == "dangerous"


def test_an_attribute_that_is_set_on_a_function_or_class(tmp_path: Path) -> None:
    """modelscan #330: the numpy.size trick; fickling's Namespace trick."""
    for target in (name("numpy", "size"), name("argparse", "Namespace"), name("collections", "OrderedDict")):
        state = b"}" + text("__setstate__") + name("os", "system") + b"s"
        assert "changed-name" in codes(scanned(tmp_path, stream(target + b"N" + state + b"\x86b")))


def test_a_name_behind_a_vetted_one(tmp_path: Path) -> None:
    """GHSA-5j3x-jp52-966f, fickling 0.1.12: every level of a dotted name is reached."""
    for module, qualified in (("pathlib", "os.system"), ("random", "_os.system"), ("torch.nn", "modules.os.system")):
        assert scanned(tmp_path, stream(stacked(module, qualified))).verdict == "dangerous"


def test_joblib_behind_the_first_array(tmp_path: Path, evil: bytes) -> None:
    """modelscan #338, #356: the parse error at the first array ended the scan."""
    dtype = call(name("numpy", "dtype"), text("f8"), b"\x89", b"\x88")
    wrapper = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}("
    wrapper += text("subclass") + name("numpy", "ndarray") + text("shape") + b"K\x02\x85" + text("order") + text("C")
    wrapper += text("dtype") + dtype + text("allow_mmap") + b"\x88" + text("numpy_array_alignment_bytes") + b"K\x10"
    honest = b"\x80\x03" + wrapper + b"ub" + b"\x03\xff\xff\xff" + bytes(16)
    assert scanned(tmp_path, honest + b".", "m.joblib").verdict == "safe"
    told = scanned(tmp_path, honest + b"0" + evil[2:], "m.joblib")
    assert told.format == "joblib" and told.verdict == "dangerous"
    assert scanned(tmp_path, gzip.compress(honest + b"0" + evil[2:]), "m.joblib").verdict == "dangerous"
    hidden = b"\x80\x03" + wrapper + b"ub" + b"0" + evil[2:]
    assert scanned(tmp_path, hidden, "m.joblib").verdict == "dangerous"  # what pickle.load makes of the same bytes


def test_an_array_of_objects(tmp_path: Path, evil: bytes) -> None:
    """picklescan 0.0.11 and tests/data2/dns_exfiltration.npy."""
    out = io.BytesIO()
    np.save(out, np.array([None]), allow_pickle=True)
    head = out.getvalue()[: out.getvalue().index(b"\n") + 1]
    assert scanned(tmp_path, head + evil, "a.npy").verdict == "dangerous"
    assert scanned(tmp_path, out.getvalue(), "a.npy").verdict == "safe"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", head + evil)
    assert scanned(tmp_path, packed.getvalue(), "a.npz").verdict == "dangerous"


def test_members_of_one_name(tmp_path: Path, evil: bytes) -> None:
    """Readers take the first or the last: both are scanned."""
    for first, last in ((evil, benign()), (benign(), evil)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive, pytest.warns(UserWarning):
            archive.writestr("archive/data.pkl", first)
            archive.writestr("archive/data.pkl", last)
        assert scanned(tmp_path, out.getvalue(), "m.pt").verdict == "dangerous"


def test_polyglots(tmp_path: Path, evil: bytes) -> None:
    """A zip behind a pickle and a pickle behind a zip: each loader sees another file."""
    assert scanned(tmp_path, evil + torch_zip(benign()), "m.pt").verdict == "dangerous"
    assert scanned(tmp_path, benign() + torch_zip(evil), "m.pt").verdict == "dangerous"
    assert scanned(tmp_path, b"\x89PNG\r\n" + bytes(99) + torch_zip(evil), "m.png").verdict == "dangerous"


def test_a_tar_archive(tmp_path: Path, evil: bytes) -> None:
    """torch's oldest files, and .nemo: members of any name, links and paths that lead outside."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in ("pickle", "../up", "weights.ckpt"):
            info = tarfile.TarInfo(path)
            info.size = len(evil)
            archive.addfile(info, io.BytesIO(evil))
    told = scanned(tmp_path, out.getvalue(), "m.tar")
    assert {"path-escape", "dangerous-call"} <= codes(told)
    assert {each.member for each in told.findings if each.code == "dangerous-call"} == {
        "pickle",
        "../up",
        "weights.ckpt",
    }
    assert scanned(tmp_path, gzip.compress(out.getvalue()), "m.nemo").verdict == "dangerous"


def test_what_is_packed_in_a_way_that_is_not_opened_is_never_safe(tmp_path: Path) -> None:
    """modelscan #181: what was skipped looked clean."""
    for magic in (b"7z\xbc\xaf\x27\x1c", b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd", b"Rar!\x1a\x07"):
        assert scanned(tmp_path, magic + bytes(99), "m.joblib").verdict == "unknown"
    assert scanned(tmp_path, b"\x78\x9cgarbage that is not packed", "m.joblib").verdict == "unknown"


def test_a_second_packed_part_behind_the_first(tmp_path: Path, evil: bytes) -> None:
    """Python's gzip, bz2 and lzma read on behind the end of the first; what was not followed is never safe."""
    for behind in (gzip.compress(evil), b"\0" * 99, evil):
        assert scanned(tmp_path, gzip.compress(benign()) + behind, "m.joblib").verdict != "safe"


def test_archives_behind_each_other(tmp_path: Path, evil: bytes) -> None:
    """torch reads the parts of a distributed checkpoint by their places: the last one is not the only one."""
    good, bad = torch_zip(benign()), torch_zip(evil)
    assert scanned(tmp_path, good * 12, "__0_0.distcp").findings == ()
    for data in (bad + good, good * 3 + bad + good, good + bad, bad + zipped_nothing(), good + evil,
                 good + evil + good):  # fmt: skip
        assert scanned(tmp_path, data, "__0_0.distcp").verdict == "dangerous"
    assert scanned(tmp_path, good + b"between" + good, "__0_0.distcp").verdict == "suspicious"


def test_an_end_record_that_is_told_elsewhere(tmp_path: Path) -> None:
    """torch reads the wide end record where the locator says, Python's zipfile the one before the locator."""
    path = tmp_path / "real.pt"
    torch.save({"a": torch.ones(2)}, path)
    data = path.read_bytes()
    assert scanned(tmp_path, data * 3, "__0_0.distcp").findings == ()
    end = data.index(b"PK\6\6")
    hidden = b"PK\3\4" + bytes(26) + data[end : end + 56]
    moved = bytearray(data)
    moved[end + 56 + 8 : end + 56 + 16] = (30).to_bytes(8, "little")
    assert "archive-mismatch" in codes(scanned(tmp_path, hidden + bytes(moved), "m.pt"))


def zipped_nothing() -> bytes:
    """An archive without a member."""
    return b"PK\x05\x06" + bytes(18)

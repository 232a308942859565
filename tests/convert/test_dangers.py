"""Every danger of a conversion: the copy is whole and proven, or there is none and nothing is left behind."""

from __future__ import annotations

import errno
import os
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from convert.checks import converted, damaged_on_their_way, holds, refused, without_the_system
from modelyard.api.converting import Wish, convert
from modelyard.apply.disk import Disk
from modelyard.convert import copying, proof
from modelyard.problem import Problem
from walk.disks import loop_disk

STATE = {"w": torch.arange(5000, dtype=torch.float32), "v": torch.ones(30, 40).T}


@pytest.fixture
def source(home: Path) -> Path:
    """A small checkpoint."""
    torch.save(STATE, home / "m.pt")
    return home / "m.pt"


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], method: int = 0) -> Path:
    """An archive anew, member by member."""
    other = path.with_name("changed.pt")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", method) as new:
        for name in old.namelist():
            if found := change(name, old.read(name)):
                new.writestr(*found)
    return other


class Payload:
    """What a pickle can do to whoever loads it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (f"touch {self.marker}",))


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_code_is_left_out_and_never_runs(zipped: bool, home: Path) -> None:
    marker = home / "ran"
    torch.save({"payload": Payload(marker), **STATE}, home / "m.pt", _use_new_zipfile_serialization=zipped)
    found = converted(home / "m.pt")
    holds(home / "m.safetensors", STATE)
    assert not marker.exists()
    told = " ".join(f"{each.name} {each.why}" for each in found.left_out)
    assert "system" in told
    assert "dangerous" in told
    torch.save(Payload(marker), home / "only.pt", _use_new_zipfile_serialization=zipped)
    assert refused(home / "only.pt").code == "no-tensors"
    assert not marker.exists()


def test_hostile_views_that_would_fill_the_disk(home: Path) -> None:
    torch.save({"w": torch.ones(1).expand(1 << 20, 1 << 18)}, home / "m.pt")
    assert refused(home / "m.pt").code == "too-large"


def test_hostile_dict_that_holds_itself(home: Path) -> None:
    loop: dict[str, object] = {"w": torch.ones(2)}
    loop["again"] = {"loop": loop}
    torch.save(loop, home / "m.pt")
    assert refused(home / "m.pt").code in ("too-deep", "too-large")


def test_truncated(source: Path) -> None:
    data = source.read_bytes()
    for length in range(0, len(data), len(data) // 23):
        source.write_bytes(data[:length])
        assert refused(source).code in ("truncated", "unknown", "damaged")


def test_truncated_storages_of_before_1_6(home: Path) -> None:
    torch.save(STATE, home / "m.pt", _use_new_zipfile_serialization=False)
    os.truncate(home / "m.pt", (home / "m.pt").stat().st_size - 1)
    assert refused(home / "m.pt").code == "truncated"


def test_a_storage_that_is_missing_or_too_short(source: Path) -> None:
    short = rewritten(source, lambda name, data: (name, data[:-8] if name.endswith("data/0") else data))
    assert refused(short).code == "truncated"
    missing = rewritten(source, lambda name, data: None if name.endswith("data/0") else (name, data))
    assert refused(missing).code == "truncated"


def test_big_endian(source: Path, home: Path) -> None:
    turned = rewritten(source, lambda name, data: (name, b"big" if name.endswith("byteorder") else data))
    assert refused(turned).code == "big-endian"
    torch.save(STATE, home / "old.pt", _use_new_zipfile_serialization=False)
    data = (home / "old.pt").read_bytes()
    assert b"little_endianq\x02\x88" in data
    (home / "old.pt").write_bytes(data.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89"))
    assert refused(home / "old.pt").code == "big-endian"


def test_packed_storages(source: Path) -> None:
    packed = rewritten(source, lambda name, data: (name, data), zipfile.ZIP_DEFLATED)
    assert refused(packed).code == "packed"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8), "quantised"),
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.eye(3).to_sparse_csr(), "sparse"),
        (lambda: torch.empty(2, device="meta"), "meta"),
        (lambda: torch.ones(2, dtype=torch.complex128), "C128"),
        (lambda: torch.ones(2, dtype=torch.complex64).conj(), "conjugated"),
        (lambda: torch.ones(2, dtype=torch.complex64).conj().imag, "negated"),
        (lambda: torch.nested.nested_tensor([torch.ones(2)]), "nested"),
    ],
)
def test_what_safetensors_cannot_say_is_a_clear_error(make: Callable[[], torch.Tensor], word: str, home: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({"odd": make(), **STATE}, home / "m.pt")
    wrong = refused(home / "m.pt")
    assert word in wrong.message
    assert "'odd'" in wrong.message


def test_the_target_exists(source: Path, home: Path) -> None:
    (home / "m.safetensors").write_bytes(b"mine")
    assert refused(source).code == "exists"
    assert (home / "m.safetensors").read_bytes() == b"mine"


def test_the_target_appears_while_it_works(source: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = proof.prove

    def meanwhile(*arguments: object) -> object:
        (home / "m.safetensors").write_bytes(b"mine")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "prove", meanwhile)
    found = convert(source, None, Wish())
    assert isinstance(found, Problem)
    assert found.code == "exists"
    assert (home / "m.safetensors").read_bytes() == b"mine"
    assert len(list(home.iterdir())) == 2


@pytest.mark.parametrize("change", ["write", "cut", "replace", "touch"])
def test_the_source_changed_while_it_was_read(change: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Disk.put

    def meanwhile(self: Disk, descriptor: int, data: bytes, at: int) -> None:
        monkeypatch.setattr(Disk, "put", real)
        if change == "write":
            with source.open("r+b") as file:
                file.seek(2000)
                file.write(b"!")
        elif change == "cut":
            os.truncate(source, 100)
        elif change == "replace":
            source.rename(source.with_name("old"))
            source.write_bytes(source.with_name("old").read_bytes())
            source.with_name("old").unlink()
        else:
            os.utime(source, ns=(1, 1))
        real(self, descriptor, data, at)

    monkeypatch.setattr(Disk, "put", meanwhile)
    assert refused(source).code == "changed"


def test_a_copy_that_is_not_equal_never_gets_its_name(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Disk.copy

    def damaged(self: Disk, source: int, start: int, length: int, target: int, at: int) -> int:
        count = real(self, source, start, length, target, at)
        os.pwrite(target, b"\xff", at + count - 1)
        return count

    monkeypatch.setattr(Disk, "copy", damaged)
    wrong = refused(source)
    assert (wrong.code, "'w' differs" in wrong.message) == (proof.UNEQUAL, True)


def test_a_copy_through_our_memory_that_is_not_equal(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged_on_their_way(monkeypatch)
    wrong = refused(source)
    assert (wrong.code, "'w' differs" in wrong.message) == (proof.UNEQUAL, True)


def test_what_does_not_reach_the_medium_never_gets_its_name(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Disk, descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Disk, "sync", fails)
    assert refused(source).code == "damaged"


def test_no_space(tmp_path: Path) -> None:
    with loop_disk("ext4", tmp_path) as disk:
        torch.save({"w": torch.ones(4 << 20)}, disk / "m.pt")
        with (disk / "full").open("wb") as file, suppress(OSError):
            for at in range(0, 1 << 30, 1 << 20):
                os.posix_fallocate(file.fileno(), at, 1 << 20)
        assert refused(disk / "m.pt").code == "no-space"


def test_no_space_where_room_cannot_be_kept(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Disk, *arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Disk, "copy", full)
    assert refused(source).code == "no-space"


def test_a_system_that_cannot_copy_by_itself(source: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_the_system(monkeypatch)
    converted(source)
    holds(home / "m.safetensors", STATE)


ODD = {f"w{at}": torch.randn(150_001 + at) for at in range(5)} | {"large": torch.randn(3_000_001)}
"""Most of these do not lie in the copy at the same place of a page as in the source."""


@pytest.mark.parametrize("by_itself", [True, False])
def test_elements_at_odd_places(by_itself: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(ODD, home / "m.pt")
    os.utime(home / "m.pt", ns=(1, 1))
    if not by_itself:
        without_the_system(monkeypatch)
    converted(home / "m.pt")
    assert (home / "m.pt").stat().st_atime_ns == 1
    holds(home / "m.safetensors", ODD)


@pytest.mark.parametrize("by_itself", [True, False])
def test_the_source_is_cut_while_it_is_copied(by_itself: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(ODD, home / "m.pt")
    real = Disk.put

    def meanwhile(self: Disk, descriptor: int, data: bytes | memoryview, at: int) -> None:
        os.truncate(home / "m.pt", 1_000_000)
        real(self, descriptor, data, at)

    if not by_itself:
        without_the_system(monkeypatch)
    monkeypatch.setattr(Disk, "put", meanwhile)
    assert refused(home / "m.pt").code == "changed"


def test_read_only_folder_and_unreadable_source(source: Path, home: Path) -> None:
    program = "import os, sys; from pathlib import Path; from modelyard.api.converting import *; " \
        "convert(Path(sys.argv[1]), Path(sys.argv[1] + 'first'), Wish()); os.setuid(65534); " \
        "print(convert(Path(sys.argv[1]), Path(sys.argv[2]), Wish()).code)"  # fmt: skip
    place = home / "fixed"
    place.mkdir(mode=0o755)
    for above in (home, *home.parents):
        if above.stat().st_mode & 0o777 == 0o700:  # pytest keeps its folders to itself
            above.chmod(0o755)
    source.chmod(0o644)
    command = [sys.executable, "-c", program, str(source), str(place / "x")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "unreadable"
    source.chmod(0o600)
    source.with_name("m.ptfirst.safetensors").unlink()
    place.chmod(0o777)
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "unreadable"
    assert list(place.iterdir()) == []


def test_killed_half_way(source: Path, home: Path) -> None:
    program = "import os, sys; from pathlib import Path; from modelyard.apply.disk import Disk; " \
        "from modelyard.api.converting import *; Disk.sync = lambda *_: os.kill(os.getpid(), 9); " \
        "convert(Path(sys.argv[1]), None, Wish())"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program, str(source)], check=False)
    assert done.returncode == -9
    left = [path.name for path in home.iterdir() if path.name.startswith(".modelyard-draft")]
    assert len(left) == 1
    assert not (home / "m.safetensors").exists()
    converted(source)
    assert sorted(path.name for path in home.iterdir()) == ["m.pt", "m.safetensors"]
    holds(home / "m.safetensors", STATE)


def test_vanished_and_what_is_no_model(home: Path) -> None:
    assert refused(home / "nothing.pt").code == "vanished"
    (home / "text.pt").write_text("words")
    assert refused(home / "text.pt").code == "unknown"
    (home / "folder.pt").mkdir()
    assert refused(home / "folder.pt").code == "not-a-file"
    torch.save({"epoch": 3}, home / "empty.pt")
    assert refused(home / "empty.pt").code == "no-tensors"
    assert refused(home / "empty.pt", target=home / "no" / "where").code == "no-folder"


def test_two_names_that_would_be_one(home: Path) -> None:
    torch.save({"a": {"b": torch.ones(1)}, "a.b": torch.ones(1)}, home / "m.pt")
    assert refused(home / "m.pt").code == "ambiguous"
    torch.save({1: torch.ones(1), "1": torch.ones(1)}, home / "n.pt")
    assert refused(home / "n.pt").code == "ambiguous"


def test_the_rights_of_the_source_are_those_of_the_copy(source: Path, home: Path) -> None:
    source.chmod(0o600)
    converted(source)
    assert (home / "m.safetensors").stat().st_mode & 0o777 == 0o600


def test_reading_leaves_no_trace(source: Path) -> None:
    os.utime(source, ns=(1, 1))
    before = source.stat()
    converted(source)
    after = source.stat()
    assert (after.st_atime_ns, after.st_mtime_ns, after.st_ctime_ns) == (1, 1, before.st_ctime_ns)


def test_a_tensor_that_the_pickle_changes_after_it_was_made(source: Path) -> None:
    def build(name: str, data: bytes) -> tuple[str, bytes]:
        return name, data.replace(b"tq\x0cRq\r", b"tq\x0cR}bq\r") if name.endswith("data.pkl") else data

    with zipfile.ZipFile(source) as file:
        assert b"tq\x0cRq\r" in file.read("m/data.pkl")
    wrong = refused(rewritten(source, build))
    assert "changes after it was made" in wrong.message


def test_extents_are_shared_where_the_file_system_can(tmp_path: Path) -> None:
    with loop_disk("btrfs", tmp_path) as disk:
        state = {"w": torch.randn(1 << 20), "b": torch.randn(5)}
        torch.save(state, disk / "m.pt")
        os.sync()
        found = converted(disk / "m.pt")
        holds(disk / "m.safetensors", state)
        assert any("share their place" in each for each in found.notes)


def test_a_pickle_that_is_no_dict_of_tensors(home: Path) -> None:
    (home / "p.pkl").write_bytes(pickle.dumps({"a": struct.pack("<I", 1)}))
    assert refused(home / "p.pkl").code == "no-tensors"

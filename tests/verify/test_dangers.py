"""What may happen to files while they are verified, and to what is remembered of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
import oracle
from modelyard import api
from modelyard.api import checking, expecting, verifying
from modelyard.apply import verified
from modelyard.apply.disk import Disk
from modelyard.formats import whole
from modelyard.walk import _walker, digest_cache
from modelyard.walk import blocks as medium
from modelyard.walk import hash as hashing
from typed import Run
from verify.looking import alarms, flip, told, verify
from walk.disks import fresh_disk, mounted
from walk.disks import run as command

BYTES = bytes(range(256)) * 400


@pytest.fixture
def hub(home: Path) -> Path:
    """The blobs of a revision of four files."""
    files = {f"part-{number}.bin": BYTES + bytes([number]) for number in range(4)}
    return makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", files) / "blobs"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are as old as they need to be for what was read of them to be remembered."""
    monkeypatch.setattr(verifying, "RACY", 0)
    monkeypatch.setattr(digest_cache, "RACY", 0)


def blob(hub: Path, number: int) -> Path:
    """The blob of a part."""
    return hub / hashlib.sha256(BYTES + bytes([number])).hexdigest()


def state(home: Path) -> Path:
    """Where modelyard remembers."""
    return home / ".local/state/modelyard"


def test_nothing_but_what_is_remembered_changes(hub: Path, home: Path, run: Run) -> None:
    flip(blob(hub, 1))
    paths = [path for path in oracle.below(home) if path != home]
    oracle.age(paths)
    before = oracle.traces(paths)
    told(run, code=5)
    assert oracle.traces(paths) == before
    new = set(oracle.below(home)) - set(paths) - {home}
    assert all(path.is_relative_to(home / ".local") for path in new)


@pytest.mark.parametrize("way", ["hash_file", "hash_anew"])
def test_vanished_while_it_was_read_is_missing(
    hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    victim = blob(hub, 2)
    real = getattr(hashing, way)

    def vanishing(*told: object) -> object:
        victim.unlink(missing_ok=True)
        return real(*told)

    monkeypatch.setattr(checking, "SMALL", 0 if way == "hash_file" else checking.SMALL)
    monkeypatch.setattr(checking, way, vanishing)
    assert alarms(verify(home)) == {victim.name: "missing"}


def test_a_small_file_that_was_written_to_while_it_was_read_is_changed_and_not_corrupt(
    hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, real = blob(hub, 3), _walker.read_anew
    flip(victim)

    def writing(paths: list[bytes], most: int) -> list[object]:
        read = real(paths, most)
        return [errno.ESTALE if path == os.fsencode(victim) else each for path, each in zip(paths, read, strict=True)]

    monkeypatch.setattr(hashing, "read_anew", writing)
    assert alarms(verify(home)) == {victim.name: "changed"}


def test_written_to_while_it_was_read_is_changed_and_not_corrupt(
    hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SMALL", 0)
    victim, real = blob(hub, 3), medium.blocks

    def writing(descriptor: int) -> Iterator[memoryview]:
        for block in real(descriptor):
            yield block
            if os.path.samestat(os.fstat(descriptor), victim.stat()):
                flip(victim)

    monkeypatch.setattr(hashing, "blocks", writing)
    assert alarms(verify(home)) == {victim.name: "changed"}


def test_no_permission_is_unreadable_and_the_others_are_verified(hub: Path, home: Path, run: Run) -> None:
    blob(hub, 0).chmod(0)
    flip(blob(hub, 1))
    subprocess.run(["chmod", "-R", "a+rX", home.parent], check=True)
    blob(hub, 0).chmod(0)
    for folder in (home, *home.parents):
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)  # root reads everything
    try:
        assert alarms(verify(home)) == {blob(hub, 0).name: "unreadable", blob(hub, 1).name: "corrupt"}
    finally:
        os.seteuid(0)


def test_exit_code_3_where_something_could_not_be_read(hub: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> Iterator[memoryview]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(hashing, "read_anew", lambda paths, most: [errno.EIO] * len(paths))
    monkeypatch.setattr(hashing, "blocks", failing)
    assert set(told(run, code=3).values()) == {"unreadable"}


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_bit_rot_on_the_medium_is_found_under_the_page_cache(kind: str, tmp_path: Path, home: Path) -> None:
    """The bytes on the disk turn over while the system still remembers the good ones of a mounted file."""
    with fresh_disk(kind, tmp_path) as folder:
        hub = makers.hub_repo(folder / "hub", "models--acme--tiny", {"model.bin": BYTES * 2})
        victim = hub / "blobs" / hashlib.sha256(BYTES * 2).hexdigest()
        command("sync", "-f", folder)
        block = re.search(r"^\s*0:\s+0\.\.\s*\d+:\s+(\d+)", _extents(victim), re.MULTILINE)
        assert block
        image = tmp_path / f"{kind}.img"
        with image.open("r+b") as raw:
            raw.seek(int(block[1]) * 4096 + 100)
            old = raw.read(1)
            raw.seek(-1, os.SEEK_CUR)
            raw.write(bytes([old[0] ^ 1]))
        env = {"HF_HUB_CACHE": str(folder / "hub")}
        assert victim.read_bytes() == BYTES * 2, "the system still remembers"
        assert alarms(verify(home, env=env)) == {victim.name: "corrupt"}


def _extents(path: Path) -> str:
    return subprocess.run(["filefrag", "-v", "-b4096", path], capture_output=True, text=True, check=True).stdout


def test_a_disk_that_cannot_deliver_is_unreadable(tmp_path: Path, home: Path) -> None:
    image = tmp_path / "ext4.img"
    with image.open("wb") as raw:
        raw.truncate(64 << 20)
    command("mkfs.ext4", "-q", "-F", image)
    data = os.urandom(16 << 20)
    with mounted(image, tmp_path / "disk", "-o", "loop") as folder:
        makers.hub_repo(folder / "hub", "models--acme--tiny", {"big.bin": data, "small.bin": b"small"})
    with mounted(image, tmp_path / "disk", "-o", "loop,ro,noload") as folder:
        found = alarms(verify(home, env={"HF_HUB_CACHE": str(folder / "hub")}))
        assert found == {}
        os.truncate(image, 14 << 20)
        Path("/proc/sys/vm/drop_caches").write_text("1")
        found = alarms(verify(home, env={"HF_HUB_CACHE": str(folder / "hub")}))
        assert found[hashlib.sha256(data).hexdigest()] == "unreadable"


def test_names_that_are_no_text_are_verified_by_a_list_that_names_them(home: Path) -> None:
    folder = home / "outputs/run/checkpoint-5"
    makers.write(folder / "trainer_state.json", "{}")
    odd = Path(os.fsdecode(bytes(folder) + b"/w\xff\xfe.bin"))
    odd.write_bytes(BYTES)
    line = hashlib.sha256(BYTES).hexdigest().encode() + b"  w\xff\xfe.bin\n"
    makers.write(folder / "SHA256SUMS", line)
    assert alarms(verify(home)) == {}
    flip(odd)
    assert alarms(verify(home)) == {os.fsdecode(odd.name): "corrupt"}


def test_a_sparse_file_is_read_as_the_zeros_it_stands_for(home: Path) -> None:
    size = 100 << 20
    digest = hashlib.sha256()
    for _ in range(100):
        digest.update(bytes(1 << 20))
    hub = makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"small.bin": b"x"})
    path = hub / "blobs" / digest.hexdigest()
    with path.open("wb") as file:
        file.truncate(size)
    assert path.stat().st_blocks == 0
    assert alarms(verify(home)) == {}


def test_notes_of_strangers_lead_nowhere(home: Path, tmp_path: Path) -> None:
    """Lists of digests and records that name what lies outside say nothing of it, and are not followed."""
    secret = makers.write(tmp_path / "secret", "s")
    folder = home / "outputs/run/checkpoint-5"
    makers.write(folder / "trainer_state.json", "{}")
    digest = "0" * 64
    makers.write(folder / "SHA256SUMS", f"{digest}  ../../../../secret\n{digest}  {secret}\n{digest}  a\0b\nnonsense\n")
    found = verify(home)
    assert not [each for each in found if b"secret" in each.item.path]


def test_a_member_that_unpacks_without_end_is_damaged_and_soon_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = makers.write(home / "outputs/run/checkpoint-5/a.npz")
    makers.write(path.parent / "trainer_state.json", "{}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.npy", bytes(50 << 20))
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(mark) + at
        data[place : place + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    unpacked: list[int] = []
    real = zlib.crc32

    def counting(piece: bytes, crc: int = 0) -> int:
        unpacked.append(len(piece))
        return real(piece, crc)

    monkeypatch.setattr(zlib, "crc32", counting)
    assert alarms(verify(home)) == {"a.npz": "corrupt"}
    assert 1000 < sum(unpacked) < 10 << 20


def test_streams_behind_each_other_are_all_read(tmp_path: Path) -> None:
    pack = zlib.compressobj(wbits=31)
    one = pack.compress(BYTES) + pack.flush()
    path = makers.write(tmp_path / "a.gz", one + one)
    assert isinstance(whole.check(str(path)), whole.Whole)
    flip(path, len(one) + len(one) // 2)
    assert not isinstance(whole.check(str(path)), whole.Whole)


def outcomes_until(home: Path, count: int) -> list[checking.Outcome]:
    """The first outcomes of a run that is stopped then."""
    survey = api.survey({}, home, "linux", system=False)
    wanted = expecting.wanted(survey)
    _, outcomes = verifying.verify(wanted, verifying.Choice(), ({}, home, "linux"), (str(home),))
    found = [next(outcomes) for _ in range(count)]
    outcomes.close()  # type: ignore[attr-defined]
    return found


@pytest.mark.usefixtures("settled")
def test_an_interrupted_run_goes_on_where_it_stopped(hub: Path, home: Path) -> None:
    first = outcomes_until(home, 2)
    assert [each.read for each in first] == [True, True]
    second = verify(home)
    known = {each.item.path for each in second if not each.read}
    assert {each.item.path for each in first} <= known
    assert len(second) == 4
    third = verify(home)
    assert all(each.read for each in third), "a whole run leaves nothing to go on with"


@pytest.mark.usefixtures("settled")
def test_a_kill_tears_at_most_the_last_row(hub: Path, home: Path) -> None:
    verify(home)
    path = state(home) / "verified"
    path.write_bytes(path.read_bytes()[:-7])
    assert len(verified.remembered(bytes(state(home)))) == 3
    memory = verified.remembered(bytes(state(home)))
    with memory.noted(Disk(), bytes(state(home))):
        assert len(memory) == 3
    assert path.stat().st_size % verified.LENGTH == 0
    damaged = bytearray(path.read_bytes())
    damaged[5] ^= 1
    path.write_bytes(damaged)
    assert len(verified.remembered(bytes(state(home)))) == 2


@pytest.mark.usefixtures("settled")
def test_what_is_out_of_date_does_not_pile_up(hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "FEW", 0)
    for _ in range(6):
        verify(home)
    assert (state(home) / "verified").stat().st_size <= 3 * 4 * verified.LENGTH
    assert len(verified.remembered(bytes(state(home)))) == 4


@pytest.mark.usefixtures("settled")
def test_since_reads_only_what_was_not_read_lately_and_what_was_written_to(hub: Path, home: Path, run: Run) -> None:
    verify(home)
    assert not any(each.read for each in verify(home, since=3600 * 10**9))
    victim = blob(hub, 1)
    times = victim.stat()
    flip(victim)
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))  # only its ctime tells
    found = verify(home, since=3600 * 10**9)
    assert [os.fsdecode(each.item.path) for each in found if each.read] == [str(victim)]
    assert alarms(found) == {victim.name: "corrupt"}
    assert alarms(verify(home, since=3600 * 10**9)) == {victim.name: "corrupt"}, "what is bad is never passed over"


@pytest.mark.usefixtures("settled")
def test_samples_are_the_same_for_the_same_files_and_come_to_everything(hub: Path, home: Path) -> None:
    survey = api.survey({}, home, "linux", system=False)
    wanted = expecting.wanted(survey)
    choice = verifying.Choice(share=0.25)

    def sample() -> list[bytes]:
        run, outcomes = verifying.verify(wanted, choice, ({}, home, "linux"), ("sample",))
        assert run.left_out == 3
        return [each.item.path for each in outcomes]

    chosen = verifying.planned(wanted, choice, verified.Verified(), 0)
    assert sample() == [job[0].path for job in chosen.jobs]
    assert len({path for _ in range(3) for path in sample()} | {job[0].path for job in chosen.jobs}) == 4


def test_a_full_disk_keeps_nothing_and_verifies_all_the_same(
    hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Disk, descriptor: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Disk, "append", full)
    flip(blob(hub, 2))
    assert alarms(verify(home)) == {blob(hub, 2).name: "corrupt"}


@pytest.mark.usefixtures("settled")
def test_show_tells_what_was_verified_when(hub: Path, run: Run) -> None:
    assert "Verified" not in run("show", "acme/tiny").out
    told(run, code=0)
    assert re.search(r"Verified +4 files whole; the first was read 20\d\d-", run("show", "acme/tiny").out)
    flip(blob(hub, 0))
    assert re.search(r"Verified +3 files whole; ", run("show", "acme/tiny").out)


def test_a_path_an_id_and_a_store_choose_what_is_verified(hub: Path, home: Path, run: Run) -> None:
    other = makers.write(home / "other/model.safetensors", b"x" * 100)
    assert told(run, str(other.parent), code=5) == {"model.safetensors": "corrupt"}
    flip(blob(hub, 0))
    assert told(run, "hf", code=5) == told(run, "acme/tiny", code=5) == {blob(hub, 0).name: "corrupt"}
    link = next(path for path in hub.parent.rglob("*.bin") if path.resolve() == blob(hub, 0))
    assert told(run, str(link), code=5) == {blob(hub, 0).name: "corrupt"}
    assert told(run, str(blob(hub, 1)), code=0) == {}
    wrong = run("verify", "nothing-of-that-name")
    assert (wrong.code, wrong.out) == (1, "")
    assert "modelyard ls -q" in wrong.err
    assert run("verify", "--sample", "0%").code == 2
    assert run("verify", "--yes").code == 2


def test_the_document_has_its_shape(hub: Path, run: Run) -> None:
    flip(blob(hub, 0))
    document = json.loads(run("verify", "--json").out)
    artifact, bad = document["items"]
    assert (artifact["path"], artifact["state"], artifact["files"]) == ("", "corrupt", {"ok": 3, "corrupt": 1})
    assert (bad["state"], bad["id"]) == ("corrupt", artifact["id"])
    blobs = [each.stat().st_size for each in hub.iterdir()]
    assert (artifact["bytes"], bad["bytes"]) == (sum(blobs), blob(hub, 0).stat().st_size)
    assert blob(hub, 0).name in bad["expected"]
    assert hashlib.sha256(blob(hub, 0).read_bytes()).hexdigest() in bad["found"]
    assert (document["files"], document["by_digest"], document["schema_version"]) == ({"ok": 3, "corrupt": 1}, 3, 1)

"""What is kept more than once: found without reading what something cheaper tells, never by less than every byte."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

import makers
import weights
from modelyard import api
from modelyard.api.deduping import Facts, duplicate_files
from modelyard.api.equality import Search
from modelyard.api.identity import PHASES, find_equal
from modelyard.policies.dedupe import Stored
from modelyard.problem import Problem
from modelyard.walk import _walker
from modelyard.walk.digest_cache import RACY, DigestCache
from modelyard.walk.hash import Seen
from modelyard.walk.tree import walk
from typed import Run
from walk.disks import fresh_disk, reflink

BIG = os.urandom(3 << 20)
AGO = 10**18
of = Facts.of


def search(folder: Path, cache: DigestCache | None = None, **more: Any) -> Search:
    """The phases over a folder."""
    return find_equal(Search(walk([folder]), DigestCache() if cache is None else cache, **more))


def groups(found: Search) -> set[frozenset[str]]:
    """The names of equal files."""
    return {frozenset(os.fsdecode(found.tree.name(row)) for row in each.rows) for each in found.equal}


def read_in(found: Search) -> int:
    """Bytes that the last phase read."""
    return found.told[-1].read


def test_equal_files_are_those_that_a_digest_of_each_would_find(home: Path) -> None:
    chance = random.Random(3)
    contents = [chance.randbytes(size) for size in (1, 5, 5, 70_000, 70_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 5)]
    expected: dict[bytes, set[str]] = {}
    for number in range(60):
        content = bytearray(chance.choice(contents))
        if chance.random() < 0.4:
            content[chance.choice([0, -1, len(content) // 2])] ^= 1
        name = os.fsdecode(b"odd\xff%d" % number) if number % 7 == 0 else str(number)
        makers.write(home / "files" / name, bytes(content))
        expected.setdefault(hashlib.sha256(content).digest(), set()).add(name)
    found = search(home, least=1)
    assert groups(found) == {frozenset(names) for names in expected.values() if len(names) > 1}
    assert all(each.proof == "read" for each in found.equal)
    large = groups(search(home))
    assert large == {each for each in groups(found) if (home / "files" / next(iter(each))).stat().st_size >= 1 << 16}


def test_hard_links_and_links_are_no_duplicates_and_nothing_is_read_of_them(home: Path) -> None:
    one = makers.write(home / "one", BIG)
    os.link(one, home / "name")
    (home / "link").symlink_to("one")
    found = search(home)
    assert not found.equal
    assert found.read == 0


def test_fine_tunes_that_share_size_and_their_first_megabytes_are_told_apart_and_not_read_whole(home: Path) -> None:
    layers = [os.urandom(1 << 20) for _ in range(3)]
    for name, last in (("a", layers[2]), ("b", os.urandom(1 << 20))):
        tensors = {f"{at}": ("U8", [1 << 20], data) for at, data in enumerate((*layers[:2], last))}
        weights.safetensors(home / f"{name}.safetensors", tensors)
    found = search(home)
    assert not found.equal
    assert 0 < found.read < 100_000
    with (home / "c.safetensors").open("wb") as file:  # differs where no sample looks
        content = bytearray((home / "a.safetensors").read_bytes())
        content[2 * (1 << 20) + 77_777] ^= 1
        file.write(content)
    assert not search(home).equal


def test_names_that_are_digests_save_reading_and_lie_to_nobody(home: Path) -> None:
    name = hashlib.sha256(BIG).hexdigest()
    hub = makers.write(home / "models--x--y" / "blobs" / name, BIG)
    makers.write(home / "blobs" / f"sha256-{name}", BIG)
    found = search(home)
    assert [each.proof for each in found.equal] == ["name"]
    assert found.read == 0
    makers.write(home / "plain.gguf", BIG)
    found = search(home)
    assert [len(each.rows) for each in found.equal] == [3]
    assert read_in(found) == len(BIG)
    shared = home / "hub" / "blobs" / name[:2] / name  # a Xet hash, whatever it looks like
    makers.write(shared, os.urandom(len(BIG)))
    hub.unlink()
    assert groups(search(home)) == {frozenset({"plain.gguf", f"sha256-{name}"})}


def test_a_wheels_record_tells_its_files(home: Path) -> None:
    import base64

    digest = base64.urlsafe_b64encode(hashlib.sha256(BIG).digest()).decode().rstrip("=")
    for env in ("one", "two"):
        site = home / env / "lib" / "python3.11" / "site-packages"
        makers.write(site / "lib" / "big.so", BIG)
        makers.write(site / "lib-1.dist-info" / "RECORD", f"lib/big.so,sha256={digest},{len(BIG)}\n")
    found = search(home)
    assert [each.proof for each in found.equal] == ["name"]
    assert found.read == 0


def old(path: Path, content: bytes) -> None:
    """A file that was written long ago."""
    makers.write(path, content)
    os.utime(path, ns=(AGO, AGO))


def test_a_second_run_reads_nothing_and_a_changed_file_is_read_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.walk.digest_cache.RACY", -RACY)
    old(home / "one", BIG)
    old(home / "two", BIG)
    cache = DigestCache()
    assert read_in(search(home, cache)) == 2 * len(BIG)
    cache = DigestCache(cache.encoded())
    assert groups(found := search(home, cache)) == {frozenset({"one", "two"})}
    assert found.read == 0
    with (home / "two").open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"changed")
    os.utime(home / "two", ns=(AGO, AGO))
    assert cache.get(Seen.of(os.stat(home / "two")), "blake3") is None
    assert not search(home, cache).equal


def test_what_changes_while_it_is_read_or_cannot_be_read_equals_nothing(home: Path) -> None:
    for name in ("one", "two", "three"):
        makers.write(home / name, BIG)
    tree = walk([home])
    with (home / "two").open("r+b") as file:
        file.write(b"new")
    (home / "three").unlink()
    found = find_equal(Search(tree, DigestCache()))
    assert not found.equal
    assert [type(each) for each in found.problems] == [Problem]


def test_small_files_that_changed_vanished_or_are_links_by_now_equal_nothing(home: Path) -> None:
    for name in ("one", "two", "three", "four", "five", "six"):
        makers.write(home / name, b"x" * 70_000)
    tree = walk([home])
    (home / "two").write_bytes(b"y" * 70_000)
    (home / "three").unlink()
    (home / "four").unlink()
    (home / "four").symlink_to(home / "one")
    (home / "five").write_bytes(b"x" * 69_999)
    found = find_equal(Search(tree, DigestCache()))
    assert groups(found) == {frozenset({"one", "six"})}
    assert sorted(Path(each.path).name for each in found.problems) == ["five", "four", "three", "two"]


def test_more_files_of_one_size_than_are_kept_in_memory_are_still_compared_whole(home: Path) -> None:
    contents = [os.urandom(700_000) for _ in range(12)]
    ends = [content[:-1] + bytes([content[-1] ^ 1]) for content in contents[:5]]
    for number, content in enumerate([*contents, *ends, *contents[2:9]]):
        makers.write(home / str(number), content)
    found = search(home)
    assert groups(found) == {frozenset({str(at), str(17 + at - 2)}) for at in range(2, 9)}
    assert not found.problems


def test_a_stopped_search_gives_what_it_has(home: Path) -> None:
    for name in ("one", "two"):
        makers.write(home / name, BIG)
        makers.write(home / f"small-{name}", b"x" * 70_000)

    def stop(words: str) -> None:
        if "bytes" in words:
            raise KeyboardInterrupt

    found = search(home, progress=stop)
    assert found.partial
    assert groups(found) == {frozenset({"small-one", "small-two"})}


def test_each_phase_can_be_priced_before_it_runs(home: Path) -> None:
    for name in ("one", "two"):
        makers.write(home / name, BIG)
        makers.write(home / f"small-{name}", b"x" * 70_000)
    state = Search(walk([home]), DigestCache())
    left: list[list[int]] = []
    prices = {}
    for phase in PHASES:
        prices[phase.name] = phase.price(state, left)
        left = phase.split(state, left)
    assert prices == {"size": 0, "extents": 0, "bytes": 140_000, "name": 0, "sample": 4 * 4096, "digest": 2 * len(BIG)}
    assert groups(state) == {frozenset({"one", "two"}), frozenset({"small-one", "small-two"})}


def test_files_that_share_their_extents_are_neither_duplicates_nor_read(tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        makers.write(disk / "one", BIG)
        reflink(disk / "one", disk / "two")
        found = search(disk)
        assert not found.equal
        assert found.read == 0
        makers.write(disk / "three", BIG)
        os.sync()
        found = search(disk)
        assert [len(each.rows) for each in found.equal] == [2]
        assert read_in(found) == 2 * len(BIG)
        assert sorted(map(len, found.equal[0].shared)) == [0, 1]


@pytest.mark.parametrize("folder", [".modelyard-trash-0/plan", ".modelyard-moving-models/tree"])
def test_what_lies_in_a_folder_of_modelyard_itself_is_no_copy(home: Path, folder: str) -> None:
    makers.write(home / folder / "one", BIG)
    makers.write(home / "two", BIG)
    assert not search(home).equal


def bits(values: list[int]) -> bytes:
    """Thirty-two bits each."""
    return struct.pack(f"<{len(values)}I", *values)


def test_a_cast_is_told_as_torch_rounds(home: Path) -> None:
    chance = random.Random(5)
    bases = (3, 0x33000000, 0x33800000, 0x387FC000, 0x38800000, 0x477FE000, 0x477FF000, 0x7F7F8000, 0x7F800000)
    edges = [sign | base + off for sign in (0, 1 << 31) for base in bases for off in range(-3, 4)]
    wide = bits(edges + [chance.getrandbits(32) for _ in range(200_000)])
    numbers = torch.frombuffer(bytearray(wide), dtype=torch.float32)
    for dtype, brain in ((torch.float16, False), (torch.bfloat16, True)):
        narrow = numbers.to(dtype).view(torch.int16).numpy().tobytes()
        assert _walker.is_cast(wide, narrow, brain)
        at = 2 * (len(edges) + 7)
        assert not _walker.is_cast(wide, narrow[:at] + bytes([narrow[at] ^ 1]) + narrow[at + 1 :], brain)
    with pytest.raises(ValueError, match="as many"):
        _walker.is_cast(wide, wide, False)


def family(home: Path) -> dict[str, Path]:
    """A checkpoint, the next one that kept most of it, the first as torch saves it, and rounded."""
    model = {f"layer{at}": torch.randn(512, 640) for at in range(4)}
    files = {}

    def stored(name: str, tensors: dict[str, torch.Tensor], dtype: str) -> None:
        raw = {
            key: (dtype, list(each.shape), each.contiguous().view(torch.uint8).numpy().tobytes())
            for key, each in tensors.items()
        }
        files[name] = weights.safetensors(home / "models" / f"{name}.safetensors", raw)

    stored("first", model, "F32")
    stored("next", {**model, "layer3": torch.randn(512, 640)}, "F32")
    stored("half", {key: each.to(torch.bfloat16) for key, each in model.items()}, "BF16")
    torch.save(model, home / "models" / "first.bin")
    return files


def dupes(run: Run, *words: str) -> dict[str, Any]:
    """What the command says."""
    answer = run("dupes", *words, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert isinstance(found, dict)
    return found


def test_checkpoints_that_share_tensors_formats_of_one_model_and_casts(run: Run, home: Path) -> None:
    files = family(home)
    found = dupes(run)
    assert not found["files"]
    shared = {(each["one"].rpartition("/")[2], each["other"].rpartition("/")[2]): each for each in found["tensors"]}
    assert shared["first.bin", "next.safetensors"]["part"] == 0.75
    assert shared["first.bin", "first.safetensors"]["part"] == 1.0
    kinds = {each["kind"]: each for each in found["formats"]}
    assert kinds["same weights"]["paths"] == [str(files["first"].with_suffix(".bin")), str(files["first"])]
    assert kinds["cast"]["paths"][1] == str(files["half"])
    with files["half"].open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"\x12")
    assert {each["kind"] for each in dupes(run)["formats"]} == {"same weights"}


def test_a_snapshot_in_several_formats_is_named_and_called_unproven(run: Run, home: Path) -> None:
    hub = home / ".cache" / "huggingface" / "hub"
    makers.hub_repo(hub, "models--a--b", {"pytorch_model.bin": b"1" * 9000, "tf_model.h5": b"2" * 9000})
    (line,) = dupes(run)["formats"]
    assert line["kind"] == "formats"
    assert "(PyTorch, TensorFlow)" in line["paths"][0]
    assert "not compared" in line["how"]


def test_what_is_asked_about_by_store_path_and_id(run: Run, home: Path) -> None:
    name = hashlib.sha256(BIG).hexdigest()
    models = home / ".ollama" / "models"
    makers.ollama_model(models, "registry.ollama.ai/library/m/latest", [makers.ollama_blob(models, BIG)])
    makers.write(home / "work" / "a.gguf", BIG)
    makers.write(home / "x" / "one", b"x" * 90_000)
    makers.write(home / "x" / "two", b"x" * 90_000)
    assert len(dupes(run)["files"]) == 2
    for asked in ("ollama", "ollama:m:latest", str(home / "work")):
        (group,) = dupes(run, asked)["files"]
        assert {each["path"].rpartition("/")[2] for each in group["files"]} == {f"sha256-{name}", "a.gguf"}
    answer = run("dupes", "nothing-like-it")
    assert answer.code == 1
    assert "neither a store, an artifact nor a path" in answer.err
    assert run("dupes", str(home / "work")).out.count("a.gguf") == 1
    tidy = run("dupes", str(home / ".ollama" / "models" / "manifests"))
    assert "Nothing is kept twice" in tidy.out


def test_the_search_of_a_survey_notes_whose_the_files_are(home: Path) -> None:
    makers.write(home / "a.gguf", BIG)
    makers.write(home / "b.gguf", BIG)
    found = duplicate_files(api.survey({}, home, "linux", system=False), DigestCache())
    (twins,) = found.twins()
    assert [each.shares for each in twins.files] == [False, False]
    assert twins.freed == 0
    assert "no hard link: " in twins.pairings[0].why


def pairs(home: Path, count: int) -> None:
    """So many pairs of equal files."""
    for number in range(count):
        for name in ("one", "two"):
            makers.write(home / name / str(number), b"%06d" % number + bytes(70_000))


def test_of_very_many_groups_one_is_held_at_a_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs(home, 5)
    made: list[int] = []

    def noted(facts: Facts, row: int, sharers: int = 0) -> Stored:
        made.append(row)
        return of(facts, row, sharers)

    monkeypatch.setattr(Facts, "of", noted)
    found = duplicate_files(api.survey({}, home, "linux", system=False), DigestCache())
    assert next(iter(found.twins())).files
    assert len(made) == 2


def test_ctrl_c_while_the_groups_are_told_leaves_a_whole_document(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs(home, 5)
    left = iter((False,) * 5)

    def stopped(facts: Facts, row: int, sharers: int = 0) -> Stored:
        if next(left, True):
            raise KeyboardInterrupt
        return of(facts, row, sharers)

    monkeypatch.setattr(Facts, "of", stopped)
    answer = run("dupes", "--json")
    assert answer.code == 130
    told = json.loads(answer.out)
    assert told["partial"]
    assert len(told["files"]) == 2

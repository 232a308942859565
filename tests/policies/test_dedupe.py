"""What may be done with equal files: pure decisions, each with its reason."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from modelyard.plan import Mark
from modelyard.policies.dedupe import Stored, left, pairings, steps
from modelyard.policies.tolerance import ANY, STORES, refused, tolerance
from modelyard.stores import ADAPTERS, loose

HEX = "ab" * 32
HUB = f"/h/.cache/huggingface/hub/models--x--y/blobs/{HEX}".encode()
OLLAMA = f"/h/.ollama/models/blobs/sha256-{HEX}".encode()
MODEL = b"/h/models/a.gguf"


def file(path: bytes, store: str, *, shares: bool = False, inode: int = 1, device: int = 1, uid: int = 7) -> Stored:
    """A file of 100 bytes of a user's store."""
    mark = Mark("file", device, inode, 100, 5, 5, uid)
    return Stored((path,), mark, 0o100644, 7, store, f"{store}:x" if store else "", 100, shares)


def ways(*files: Stored) -> list[tuple[bytes, str, int]]:
    """What happens with each file that is not kept."""
    return [(each.other.path, each.way, each.freed) for each in pairings(files, 7)]


def test_extents_are_shared_whatever_the_store() -> None:
    found = ways(file(MODEL, "loose", shares=True), file(OLLAMA, "ollama", shares=True, inode=2))
    assert found == [(MODEL, "share", 100)]


def test_hard_links_only_between_stores_that_never_write_into_a_file() -> None:
    assert ways(file(HUB, "hf"), file(OLLAMA, "ollama", inode=2)) == [(OLLAMA, "link", 100)]
    assert ways(file(MODEL, "lmstudio"), file(OLLAMA, "ollama", inode=2)) == [(MODEL, "none", 0)]
    manifest = b"/h/.ollama/models/manifests/registry/x"
    assert ways(file(manifest, "ollama"), file(HUB, "hf", inode=2)) == [(manifest, "none", 0)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mode": 0o100600}, "different rights (644, 600)"),
        ({"group": 8}, "different owners"),
        ({"outside": True, "paths": (OLLAMA,)}, ""),
        ({"kept": "it is pinned"}, "it is pinned"),
    ],
)
def test_what_one_file_cannot_have_twice_is_left_alone(change: dict[str, object], why: str) -> None:
    other = replace(file(OLLAMA, "ollama", inode=2), **change)
    found = pairings([file(HUB, "hf"), other], 7)
    if "outside" in change:  # a file with unseen names is kept, the other becomes a name of it
        assert [(each.other.path, each.way) for each in found] == [(HUB, "link")]
        return
    assert found[0].way == "none"
    assert why in found[0].why
    assert [each.why for each in left(found)] == [found[0].why]
    assert not list(steps(found))


def test_two_files_with_unseen_names_stay() -> None:
    one, other = (replace(each, outside=True) for each in (file(HUB, "hf"), file(OLLAMA, "ollama", inode=2)))
    assert pairings([one, other], 7)[0].why == "it has names outside of what was looked at"


def test_nobody_elses_file_is_touched_and_no_link_leaves_a_file_system() -> None:
    other = file(OLLAMA, "ollama", inode=2, uid=8)
    assert [each.why for each in pairings([file(HUB, "hf", uid=8), other], 7)] == ["it belongs to user 8"]
    shared = replace(file(OLLAMA, "ollama", inode=2, uid=8, shares=True))
    assert [each.way for each in pairings([file(HUB, "hf", shares=True), shared], 7)] == ["none"]
    across = pairings([file(HUB, "hf"), file(OLLAMA, "ollama", inode=2, device=2)], 7)
    assert [each.way for each in across] == ["none"]
    assert "another file system" in across[0].why


def test_every_name_of_a_file_is_linked_and_the_last_one_frees() -> None:
    other = replace(file(OLLAMA, "ollama", inode=2), paths=(OLLAMA, OLLAMA + b"2"), alone=100)
    kept = replace(file(HUB, "hf"), paths=(HUB, HUB + b"2", HUB + b"3"))
    assert [(step.do, bytes(step.path), step.freed) for step in steps(pairings([kept, other], 7))] == [
        ("relink", OLLAMA, 0),
        ("relink", OLLAMA + b"2", 100),
    ]


def test_the_file_that_shares_with_most_is_kept() -> None:
    most = replace(file(MODEL, "loose", shares=True, inode=3), sharers=2)
    found = pairings([file(b"/h/models/z", "loose", shares=True), most], 7)
    assert [each.kept.path for each in found] == [MODEL]


def test_the_table_names_real_stores_and_refuses_what_is_unknown() -> None:
    known = {each.STORE.name for each in ADAPTERS} | {loose.STORE.name}
    assert set(STORES) <= known
    assert tolerance("made-up") is ANY
    assert refused("", "/x") and refused("made-up", "/x")
    assert all(each.why for each in STORES.values())
    assert {name for name, each in STORES.items() if each.links} == {"hf", "ollama", "ramalama", "docker-models", "dvc"}

"""A hub cache that was cleaned: the client finds it in order, loads what was kept, gets again what went."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from real.hub_client import Client
from real.hub_layout import files_of
from real.surveys import by_id, codes, survey
from reclaiming import age, chosen, clean, everything, left_out, locking, undo
from typed import Run

WEIGHTS = {"model.safetensors": os.urandom(600_000)}
OTHER = {"model.safetensors": os.urandom(500_000)}
TINY, COPY, ROWS, HALF = "models/acme/tiny", "models/globex/copy", "datasets/acme/rows", "models/acme/half"


def get(client: Client, address: str, files: dict[str, bytes], *refs: str) -> str:
    """A new commit, downloaded whole."""
    commit = client.hub.push(address, files, *refs)
    client.download(address)
    return commit


@pytest.fixture
def old(client: Client, home: Path) -> str:
    """A cache with all that may be left in one; gives the commit from which the branch of a model moved on."""
    client.keep_in_xet(WEIGHTS) if not client.old else None
    old = get(client, TINY, OTHER | {"config.json": b"{}"})
    client.call("probe", TINY, "main", "no-such-file")
    get(client, TINY, WEIGHTS | {"config.json": b"{}", "more.json": b"[]"}, "v1")
    client.download(TINY, "v1")
    client.call("probe", TINY, "main", "no-such-file")
    get(client, COPY, WEIGHTS | {"config.json": b"{ }"})
    get(client, ROWS, {"train.parquet": os.urandom(90_000)})
    client.hub.push(HALF, {"config.json": b"half", "big.safetensors": bytes(24_000_000)})
    client.hub.stalled.add("big.safetensors")
    client.break_off(HALF)
    (client.cache / "models--globex--copy" / "blobs" / ("e" * 64)).write_bytes(b"nothing leads here")
    age(home)
    return old


def sound(client: Client, *addresses: str) -> None:
    """The client's own tools have nothing to say against the cache, and these load without a server."""
    seen = client.scan()
    assert seen.warnings == []
    assert {name.replace("/", "s/", 1) for name in seen.refs} - {HALF} == set(addresses) - {HALF}
    for address in addresses:
        snapshot = client.cache / address.replace("/", "--") / "snapshots"
        client.offline.call("snapshot", address, "main")
        files = client.hub.repositories[address].commits
        for folder in snapshot.iterdir():
            assert {path.name: path.read_bytes() for path in files_of(folder)} == files[folder.name]
    if client.old:
        return
    listed = client.cli("ls")
    for address in addresses:
        kind, _, name = address.partition("/")
        assert f"{kind.rstrip('s')}/{name}" in listed
        client.cli("verify", name, "--repo-type", kind.rstrip("s"), "--fail-on-missing-files")


def test_after_a_clean_the_client_is_content_and_after_an_undo_too(
    client: Client, old: str, run: Run, home: Path
) -> None:
    before = everything(client.cache)
    taken = {f"hf:model/acme/tiny@{old[:12]}", "hf:model/acme/half#partial", "hf:model/globex/copy#orphan"}
    assert chosen(run, "hf") == taken
    clean(run, "hf")
    client.offline.call("snapshot", TINY, "v1")
    sound(client, TINY, COPY, ROWS)
    assert "Nothing to prune" in (client.cli("prune", "--dry-run") if not client.old else "Nothing to prune")
    undo(run)
    assert everything(client.cache) == before
    assert client.scan().warnings == []
    clean(run, "hf")
    client.hub.stalled.clear()
    client.download(HALF)
    client.download(TINY, old)
    sound(client, TINY, COPY, ROWS, HALF)
    assert codes(survey(home)) == []


def test_of_a_repository_that_goes_whole_no_skeleton_is_left(client: Client, old: str, run: Run, home: Path) -> None:
    """Empty folders would be listed as a repository of which no revision can be removed any more."""
    before = everything(client.cache)
    repo = client.cache / "models--acme--tiny"
    clean(run, "hf", include=revisions(home, "hf:model/acme/tiny"))
    assert not repo.exists()
    sound(client, COPY, ROWS)
    get(client, TINY, WEIGHTS | {"config.json": b"new"})
    sound(client, TINY, COPY, ROWS)
    shutil.rmtree(repo)
    undo(run)
    kept = everything(client.cache)
    assert {path: kept[path] for path in before if path.is_relative_to(repo)} == {
        path: thing for path, thing in before.items() if path.is_relative_to(repo)
    }
    sound(client, TINY, COPY, ROWS)


def test_a_payload_goes_with_the_last_repository_that_uses_it(shared: Client, run: Run, home: Path) -> None:
    """An HF repo folder removed while its blobs are shared: by hand it frees nothing, or breaks the other one."""
    shared.keep_in_xet(WEIGHTS)
    for address in (TINY, COPY):
        get(shared, address, WEIGHTS | {"config.json": address.encode()})
    age(home)
    before = everything(shared.cache)
    (payload,) = [path for path in (shared.cache / "blobs").glob("??/*") if len(path.name) == 64]
    clean(run, "hf", include=revisions(home, "hf:model/acme/tiny"))
    sound(shared, COPY)
    assert payload.exists()
    undo(run)
    assert everything(shared.cache) == before
    clean(run, "hf", include=(*revisions(home, "hf:model/acme/tiny"), *revisions(home, "hf:model/globex/copy")))
    assert not list((shared.cache / "blobs").glob("??/*"))
    assert "Nothing to prune" in shared.cli("prune", "--dry-run")
    undo(run)
    assert everything(shared.cache) == before
    sound(shared, TINY, COPY)


def test_a_repository_that_came_while_another_went_keeps_the_payload(shared: Client, run: Run, home: Path) -> None:
    """The list of users beside a payload goes last: without it the client counts only those who come later."""
    shared.keep_in_xet(WEIGHTS)
    get(shared, TINY, WEIGHTS | {"config.json": b"{}"})
    age(home)
    plan = run("clean", "hf", "--include", *revisions(home, "hf:model/acme/tiny"), "--dry-run", "--json")
    order = [Path(step["path"]) for step in json.loads(plan.out)["plan"]["steps"]]
    payload = next(path for path in order if len(path.name) == 64)
    assert order[0] == shared.cache / "models--acme--tiny"
    assert order[1:] == [payload, *(payload.with_name(payload.name + end) for end in (".refs", ".lock"))]


def test_a_successor_of_which_only_a_part_came_replaces_nothing(client: Client, run: Run, home: Path) -> None:
    """Loading a configuration moves the branch; `prune` then takes the only weights that are here."""
    old = get(client, TINY, WEIGHTS | {"config.json": b"{}"})
    new = client.hub.push(TINY, OTHER | {"config.json": b"{ }"})
    client.download(TINY, "main", "config.json")
    age(home)
    seen = by_id(survey(home), "hf")
    assert seen[f"hf:model/acme/tiny@{old[:12]}"].tags == ("detached", "unmatched")
    assert chosen(run, "hf") == set()
    client.download(TINY)
    age(home)
    assert (client.cache / "models--acme--tiny" / "snapshots" / new / "model.safetensors").exists()
    assert chosen(run, "hf") == {f"hf:model/acme/tiny@{old[:12]}"}


def test_a_ref_that_a_cut_download_left_goes_with_its_half(client: Client, run: Run, home: Path) -> None:
    """llama.cpp writes the ref first; while it names nothing, the hub's client leaves the whole repository out."""
    old = get(client, TINY, WEIGHTS, "v1")
    client.download(TINY, "v1")
    repo = client.cache / "models--acme--tiny"
    (repo / "refs" / "main").write_text("f" * 40)
    (repo / "blobs" / f"{'e' * 64}.downloadInProgress").write_bytes(bytes(9000))
    age(home)
    before = everything(client.cache)
    assert len(client.scan().warnings) == 1
    assert chosen(run, "hf") == {"hf:model/acme/tiny#partial"}
    clean(run, "hf")
    assert client.scan().refs == {"model/acme/tiny": {old: ["v1"]}}
    client.offline.call("snapshot", TINY, "v1")
    undo(run)
    assert everything(client.cache) == before


def test_refs_go_before_revisions_and_revisions_before_what_they_lead_to(
    client: Client, old: str, run: Run, home: Path
) -> None:
    """Wherever one stops, no ref names what is gone and no link leads to nothing."""
    get(client, TINY, OTHER | {"config.json": b"third"})
    age(home)
    first, *rest = [each for each in revisions(home, "hf:model/acme/tiny") if each != f"hf:model/acme/tiny@{old[:12]}"]
    tagged = next(each for each in (first, *rest) if by_id(survey(home), "hf")[each].tags == ("v1",))
    plan = json.loads(run("clean", "hf", "--include", tagged, "--dry-run", "--json").out)["plan"]
    parts = [Path(step["path"]).relative_to(client.cache).parts for step in plan["steps"] if step["artifact"] == tagged]
    kinds = [part[1] if part[0] != "blobs" else "payload" for part in parts]
    assert kinds[:2] == ["refs", "snapshots"]
    assert kinds.index("blobs") > kinds.index("snapshots")


def test_a_repository_that_a_client_has_locked_is_left_alone(client: Client, old: str, run: Run, home: Path) -> None:
    (lock, *_) = (client.cache / ".locks" / "models--globex--copy").glob("*.lock")
    with locking(lock) as process:
        why = left_out(run, "hf")
        assert set(why) == {"hf:model/globex/copy#orphan"}
        assert f"(process {process.pid}) holds its lock" in why["hf:model/globex/copy#orphan"]
    assert left_out(run, "hf") == {}


def revisions(home: Path, group: str) -> tuple[str, ...]:
    """The ids of a repository's revisions."""
    return tuple(each.id for each in by_id(survey(home), "hf").values() if each.group == group and each.revision)

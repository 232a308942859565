"""Proofs that a revision would come back: asked from a hub that real clients filled their caches from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from real.hub_client import Client
from real.hub_server import Hub, etag_of
from real.test_hub import MODEL, ROWS, publish, tiny
from typed import Run

REVISION = r"GET /api/models/acme/tiny/revision/\w+"
LISTING = r"GET /api/models/acme/tiny/tree/\w+"
LARGEST = r"HEAD /acme/tiny/resolve/.*"


@pytest.fixture
def cached_model(client: Client, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model that a client downloaded, whose hub modelyard may ask; its commit."""
    commit = publish(client, MODEL, tiny())
    client.download(MODEL)
    monkeypatch.setenv("HF_ENDPOINT", client.hub.url)
    return commit


def planned(run: Run, *words: str) -> dict[str, Any]:
    """The plan for the hub's cache."""
    answer = run("clean", "hf", "--prove", "--dry-run", "--json", *words)
    assert answer.code == 0, answer.err
    plan: dict[str, Any] = json.loads(answer.out)["plan"]
    return plan


def refusal(run: Run, *words: str) -> str:
    """Why the one model was left out."""
    plan = planned(run, *words)
    assert plan["steps"] == []
    (skipped,) = plan["skipped"]
    assert skipped["artifact"].startswith("hf:model/acme/tiny@")
    assert skipped["why"].startswith("could not be proven: ")
    return str(skipped["why"]).removeprefix("could not be proven: ")


def test_what_the_hub_still_has_is_proven(run: Run, client: Client, cached_model: str) -> None:
    plan = planned(run)
    proofs = {step["proof"] for step in plan["steps"]}
    (proof,) = proofs
    assert "3 files by path, size and digest (2 git's SHA-1, 1 SHA-256)" in proof
    assert f"the Hub at {client.hub.url}" in proof
    assert 0 <= plan["fetch"] - sum(len(content) for content in tiny().values()) < 200  # notes of the shared store
    assert plan["fetch_seconds"] == 1


def test_only_prove_asks_and_never_with_a_token(
    run: Run, client: Client, cached_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    client.hub.asked.clear()
    assert run("clean", "hf", "--dry-run").code == 0
    assert client.hub.asked == []
    planned(run)
    assert len(client.hub.asked) == 3
    assert not [name for _, _, headers in client.hub.asked for name in headers if name.lower() == "authorization"]
    assert "hf_secret" not in repr(client.hub.asked)


def test_a_page_after_the_first_counts_too(run: Run, client: Client, cached_model: str) -> None:
    client.hub.page = 1
    assert planned(run)["worst_proof"] == "re-get"
    assert planned(run)["steps"] != []


def test_datasets_and_parts_of_a_revision(run: Run, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(client, ROWS, {"data/train.parquet": os.urandom(90_000), "README.md": b"rows"})
    client.download(ROWS, "main", "data/train.parquet")
    monkeypatch.setenv("HF_ENDPOINT", client.hub.url)
    (proof,) = {step["proof"] for step in planned(run)["steps"]}
    assert "1 file by path, size and SHA-256" in proof


@pytest.mark.parametrize(
    ("told", "status", "code", "words"),
    [
        (REVISION, 401, "RepoNotFound", "it was deleted or is private"),
        (REVISION, 401, "", "it is private or gated or was deleted"),
        (REVISION, 403, "GatedRepo", "it is gated on the Hub, and modelyard sends no token"),
        (REVISION, 403, "", "it is gated or blocked"),
        (REVISION, 404, "RevisionNotFound", "this revision no longer"),
        (REVISION, 404, "", "no such repository or revision (404)"),
        (REVISION, 429, "", "asks to wait (429"),
        (REVISION, 500, "", "in trouble itself (500)"),
        (LISTING, 503, "", "in trouble itself (503)"),
        (LARGEST, 403, "GatedRepo", "it is gated on the Hub"),
        (LARGEST, 404, "EntryNotFound", "not this file"),
        (LARGEST, 451, "", "may not give it out (451)"),
    ],
)
def test_what_is_refused_is_not_proven(
    told: str, status: int, code: str, words: str, run: Run, classic: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(classic, MODEL, tiny())
    classic.download(MODEL)
    monkeypatch.setenv("HF_ENDPOINT", classic.hub.url)
    classic.hub.instead[told] = (status, {"X-Error-Code": code} if code else {}, b"{}")
    assert words in refusal(run)


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (401, "RepoNotFound", "RepositoryNotFoundError"),
        (403, "GatedRepo", "GatedRepoError"),
        (404, "RevisionNotFound", "RevisionNotFoundError"),
    ],
)
def test_the_client_itself_understands_these_refusals(status: int, code: str, name: str, shared: Client) -> None:
    commit = publish(shared, MODEL, tiny())
    assert json.loads(shared.call("complaint", MODEL, commit)) == ""
    shared.hub.instead[REVISION] = (status, {"X-Error-Code": code}, b"{}")
    assert json.loads(shared.call("complaint", MODEL, commit)) == name


def test_the_client_itself_reads_the_pages(shared: Client) -> None:
    commit = publish(shared, MODEL, tiny())
    shared.hub.page = 1
    assert json.loads(shared.call("listing", MODEL, commit)) == sorted(tiny())


def answer(hub: Hub, told: str, document: object) -> None:
    """Lets the hub answer this."""
    hub.instead[told] = (200, {}, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gated": "manual"}, "it is gated on the Hub"),
        ({"gated": True}, "it is gated on the Hub"),
        ({"private": True}, "it is private on the Hub"),
        ({"disabled": True}, "it is disabled on the Hub"),
        ({"id": "acme/other"}, "it is called acme/other on the Hub now"),
        ({"sha": "f" * 40}, "the Hub gives ffffffffffff for this revision"),
        ({"sha": 7}, "not its API"),
        ({"gated": 3}, "not its API"),
    ],
)
def test_what_the_hub_says_of_the_repository(
    changes: dict[str, object], words: str, run: Run, client: Client, cached_model: str
) -> None:
    answer(client.hub, REVISION, {"id": "acme/tiny", "sha": cached_model} | changes)
    assert words in refusal(run)


def test_a_renamed_repository_is_not_proven(run: Run, client: Client, cached_model: str) -> None:
    client.hub.instead[REVISION] = (307, {"Location": f"/api/models/acme/new/revision/{cached_model}"}, b"")
    assert "it was renamed or moved on the Hub, to /api/models/acme/new/" in refusal(run)


def test_a_revision_that_is_gone_is_not_proven(run: Run, client: Client, cached_model: str) -> None:
    del client.hub.repositories[MODEL].commits[cached_model]
    assert "this revision no longer" in refusal(run)


def test_a_deleted_repository_is_not_proven(run: Run, client: Client, cached_model: str) -> None:
    del client.hub.repositories[MODEL]
    assert "the Hub shows no such repository" in refusal(run)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", b"[]", "config.json is not what the source has: their digests differ"),
        ("config.json", b"{ }", "config.json has 2 bytes here and 3 at the source"),
        ("config.json", None, "the source does not have config.json"),
        ("model.safetensors", os.urandom(1_500_000), "model.safetensors is not what the source has"),
    ],
)
def test_a_changed_file_is_not_proven(
    name: str, content: bytes | None, words: str, run: Run, client: Client, cached_model: str
) -> None:
    files = client.hub.repositories[MODEL].commits[cached_model]
    if content is None:
        del files[name]
    else:
        files[name] = content
    assert words in refusal(run)


def test_a_mirror_that_would_send_something_else_is_not_believed(run: Run, client: Client, cached_model: str) -> None:
    client.hub.instead[LARGEST] = (200, {"ETag": '"0000"', "X-Linked-Size": "1500000"}, b"")
    assert "would send something else for model.safetensors" in refusal(run)


def test_the_hub_leads_to_where_the_bytes_are(run: Run, client: Client, cached_model: str) -> None:
    """First to another address of its own, then to a server that is not asked: the headers tell what lies there."""
    files = client.hub.repositories[MODEL].commits[cached_model]
    digest = etag_of("model.safetensors", files["model.safetensors"])
    told = {"Location": "https://example.invalid/x?signed", "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": "1500000"}
    client.hub.instead[LARGEST] = (307, {"Location": "/api/resolve-cache/models/acme/tiny/x"}, b"")
    client.hub.instead["HEAD /api/resolve-cache/.*"] = (302, told | {"ETag": '"of the redirect"'}, b"")
    assert planned(run)["steps"]
    client.hub.instead["HEAD /api/resolve-cache/.*"] = (302, {"Location": told["Location"]}, b"")
    assert "does not say what it would send for model.safetensors" in refusal(run, "--proof-max-age", "0s")


def test_a_blob_cut_short_on_this_disk_is_not_proven(run: Run, client: Client, cached_model: str, cached: Path) -> None:
    blob = max((path for path in cached.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    os.truncate(blob, 1000)
    assert "model.safetensors has 1,000 bytes here and 1,500,000 at the source" in refusal(run)


def test_plain_files_where_links_belong_are_read_whole(run: Run, client: Client, cached_model: str) -> None:
    """As on systems without symbolic links; somebody may have changed them."""
    snapshot = client.cache / "models--acme--tiny" / "snapshots" / cached_model
    for link in [path for path in snapshot.rglob("*") if path.is_symlink()]:
        content = link.read_bytes()
        link.unlink()
        link.write_bytes(content)
    for blob in [path for path in client.cache.rglob("blobs/**/*") if path.is_file() or path.is_symlink()]:
        blob.unlink()
    assert "digest" in planned(run)["steps"][0]["proof"]
    (snapshot / "config.json").write_bytes(b"[]")
    assert "config.json is not what the source has" in refusal(run)


def test_something_of_ones_own_in_the_repository_is_not_proven(run: Run, client: Client, cached_model: str) -> None:
    (client.cache / "models--acme--tiny" / "my-notes.txt").write_text("keep me")
    assert "not just what its source gave" in refusal(run)


def test_offline_nothing_is_proven(
    run: Run, client: Client, cached_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached: Connection refused" in refusal(run)


def test_a_proof_is_remembered_for_a_while(run: Run, client: Client, cached_model: str) -> None:
    first = planned(run)
    client.hub.asked.clear()
    assert planned(run)["steps"] == first["steps"]
    assert client.hub.asked == []
    planned(run, "--proof-max-age", "0s")
    assert client.hub.asked != []


def test_a_remembered_proof_is_none_for_what_changed_since(run: Run, client: Client, cached_model: str) -> None:
    planned(run)
    client.hub.asked.clear()
    snapshot = client.cache / "models--acme--tiny" / "snapshots" / cached_model
    blob = (snapshot / "config.json").resolve()
    blob.write_bytes(b"{ }")
    assert "config.json has 3 bytes here and 2 at the source" in refusal(run)
    assert client.hub.asked != []


def test_what_was_proven_is_removed_and_comes_back_from_the_hub(run: Run, client: Client, cached_model: str) -> None:
    assert run("clean", "hf", "--prove", "--yes", "--now").code == 0
    repo = client.cache / "models--acme--tiny"
    assert not repo.exists()
    client.download(MODEL)
    read = {name: (repo / "snapshots" / cached_model / name).read_bytes() for name in tiny()}
    assert read == tiny()

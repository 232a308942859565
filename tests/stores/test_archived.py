"""Stubs of what was archived: what they name, and stubs that are damaged."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api
from modelyard.formats import stub
from modelyard.plan import Path as Place


def stub_of(artifact: str, kind: str, name: str) -> bytes:
    """A stub of one file."""
    entry = stub.Entry(Place(name), "file", 0o644, 1, 1, 2_000_000, sha256="0" * 64, object=f"files/{name}", stored=900)
    place = Place("/elsewhere")
    return stub.encode(
        stub.Stub(artifact, kind, kind, "/mnt/cold/x", "2026-11-01T00:00:00Z", place, [Place(name)], [entry])
    )


def make(home: Path) -> None:
    """A checkpoint and a model that are away."""
    makers.write(
        home / "runs/a/checkpoint-5.modelyard-archived", stub_of("checkpoint:a/checkpoint-5", "checkpoint", "x")
    )
    makers.write(home / "models/tiny.gguf.modelyard-archived", stub_of("loose:models/tiny.gguf", "model", "tiny.gguf"))


def test_a_stub_tells_what_is_away_and_where(home: Path) -> None:
    make(home)
    found = {each.id: each for each in api.survey({}, home, "linux", system=False).artifacts}
    assert set(found) == {"archived:runs/a/checkpoint-5", "archived:models/tiny.gguf"}
    one = found["archived:runs/a/checkpoint-5"]
    assert (one.title, one.kind, one.state) == ("checkpoint:a/checkpoint-5", "checkpoint", "archived")
    assert one.detail == "1.91 MiB at /mnt/cold/x"


def test_a_stub_that_leads_out_of_its_folder_is_no_stub(home: Path) -> None:
    for name in ("../up", "/etc/passwd", "a/../../b", ""):
        makers.write(home / "x.modelyard-archived", stub_of("loose:x", "model", name))
        found = api.survey({}, home, "linux", system=False)
        assert [each.state for each in found.artifacts] == ["corrupt"]
        assert [each.code for each in found.problems] == ["bad-stub"]

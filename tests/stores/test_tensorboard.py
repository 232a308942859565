"""Event files wherever a script wrote them."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api

EVENTS = "events.out.tfevents.1767225600.host.1.0"


def make(home: Path) -> None:
    """Two runs side by side, one with a profile, among files of one's own."""
    makers.write(home / "work" / "runs" / "first" / EVENTS, b"e" * 5000)
    makers.write(home / "work" / "runs" / "first" / f"{EVENTS}.more", b"e" * 3000)
    makers.write(home / "work" / "runs" / "second" / EVENTS, b"e" * 4000)
    makers.write(home / "work" / "runs" / "second" / "plugins" / "profile" / "1" / "host.xplane.pb", b"p" * 9000)
    makers.write(home / "work" / "runs" / "second" / "notes.txt", b"n" * 3000)


def test_one_a_folder_with_nothing_but_the_events(home: Path) -> None:
    make(home)
    seen = api.survey({}, home, "linux", system=False)
    found = {each.id: each for each in seen.artifacts}
    assert {name: each.detail for name, each in found.items()} == {
        "tensorboard:work/runs/first": "2 event files",
        "tensorboard:work/runs/second": "",
    }
    assert found["tensorboard:work/runs/second"].facts == (("event files", "1"), ("profiles", "yes"))
    assert not seen.claims.owners_of(seen.tree.find(home / "work/runs/second/notes.txt") or 0)


def test_events_in_the_folder_that_was_looked_at_itself(home: Path) -> None:
    makers.write(home / EVENTS, b"e" * 3000)
    assert len(makers.artifacts(home)) == 1


def test_events_that_other_trackers_and_downloads_hold_are_listed_once(home: Path) -> None:
    """Counted by two stores, their bytes would never be freed by one."""
    makers.write(home / "wandb" / "run-20260101_000000-aa" / "run-aa.wandb", b"r" * 3000)
    makers.write(home / "wandb" / "run-20260101_000000-aa" / "files" / EVENTS, b"e" * 3000)
    makers.write(home / "mlruns" / "1" / ("a" * 32) / "artifacts" / "logs" / EVENTS, b"e" * 3000)
    makers.write(home / "lightning_logs" / "version_0" / "hparams.yaml", "{}")
    makers.write(home / "lightning_logs" / "version_0" / "nested" / EVENTS, b"e" * 3000)
    makers.hub_repo(home / "hub", "models--acme--tiny", {f"runs/{EVENTS}": b"e" * 3000})
    assert {each.store for each in makers.artifacts(home).values()} == {"wandb", "mlflow", "lightning", "hf"}

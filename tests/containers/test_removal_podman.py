"""A real Podman is asked to remove what is its own: what goes, what stays, and how much comes back."""

from __future__ import annotations

from pathlib import Path

from containers import cleaning, surveys
from containers.engines import BUSYBOX, Running

AWAY = 300_000
"""Bytes by which the disk may differ: folders, links and records of each thing that goes, which no engine counts."""


def named(podman: Running) -> list[list[str]]:
    """Everything with a name, by the engine's own command."""
    lists = (
        ("image", "ls", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"),
        ("container", "ls", "-a", "--format", "{{.ID}} {{.Names}}"),
        ("volume", "ls", "-q"),
    )
    return [sorted(line for line in podman.run(*each).splitlines() if "<none>" not in line) for each in lists]


def test_what_is_safe_goes_and_everything_else_stays(podman: Running, home: Path) -> None:
    before, kept = podman.taken(), named(podman)
    plan = cleaning.plan(home, "CONTAINER_HOST", podman.socket)
    assert {step.ask.kind for step in plan.steps if step.ask} == {"image"}
    ledger = cleaning.make(home, plan)
    assert set(ledger.states) == {"purged"}, ledger.reasons
    freed = before - podman.taken()
    assert 1_500_000 < plan.freed <= freed + 4096, "never more than what comes back"
    assert freed - plan.freed < AWAY
    assert named(podman) == kept
    images = podman.run("image", "ls", "-a", "-q", "--no-trunc").split()
    assert podman.run("system", "df", "--format", "{{.Type}}={{.Total}}").splitlines()[0] == f"Images={len(images)}"
    assert podman.run("exec", "busy", BUSYBOX, "md5sum", "/v/w"), "what was kept still works"


def test_the_price_of_every_kind_of_thing(podman: Running, home: Path) -> None:
    """A stopped container, then its image with its tag, and a volume: named one by one, priced as a set."""
    before = podman.taken()
    names = ["podman:container/old", "podman:volume/spare", "podman:volume/data"]
    plan = cleaning.plan(home, "CONTAINER_HOST", podman.socket, *names, names=names)
    assert [step.artifact for step in plan.steps] == names[:2]
    assert [each.artifact for each in plan.skipped] == names[2:], "a container that runs has it"
    assert set(cleaning.make(home, plan).states) == {"purged"}
    image = "podman:image/localhost/built:2"
    again = cleaning.plan(home, "CONTAINER_HOST", podman.socket, image, names=[image])
    assert set(cleaning.make(home, again).states) == {"purged"}
    freed = before - podman.taken()
    assert 1_300_000 + 1_400_000 <= plan.freed + again.freed <= freed + 4096
    left = {each.id for each in surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}").artifacts}
    assert {"podman:image/localhost/built:1", "podman:image/localhost/built:3", "podman:volume/data"} <= left

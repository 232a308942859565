"""A real Docker engine is asked to remove what is its own: what goes, what stays, and how much comes back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from containers import cleaning, surveys
from containers.between import between
from containers.engines import BUSYBOX, Running
from modelyard.policies.clean import Wish
from typed import Run

AWAY = 300_000
"""Bytes by which the disk may differ: folders, links and records of each thing that goes, which no engine counts."""


def kept(docker: Running) -> list[list[str]]:
    """Everything with a name, by the engine's own command."""
    lists = (
        ("image", "ls", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"),
        ("container", "ls", "-a", "--format", "{{.ID}} {{.Names}} {{.State}}"),
        ("volume", "ls", "-q"),
    )
    return [sorted(line for line in docker.run(*each).splitlines() if "<none>" not in line) for each in lists]


def test_what_is_safe_goes_and_everything_else_stays(docker: Running, home: Path) -> None:
    """Without a word only dangling images and idle build cache; `docker system df` is right afterwards, and `du`."""
    before, named = docker.taken(), kept(docker)
    plan = cleaning.plan(home, "DOCKER_HOST", docker.socket)
    assert {step.do for step in plan.steps} == {"ask"}
    assert {step.ask.kind for step in plan.steps if step.ask} == {"image", "build cache"}
    ledger = cleaning.make(home, plan)
    assert set(ledger.states) == {"purged"}, ledger.reasons
    freed = before - docker.taken()
    assert plan.freed > 1_500_000
    assert plan.freed <= freed + 4096, "never more than what comes back"
    assert freed - plan.freed < AWAY
    assert kept(docker) == named
    assert not docker.run("image", "ls", "-q", "--filter", "dangling=true")
    figures = docker.run("system", "df", "--format", "{{.Type}}={{.TotalCount}}").splitlines()
    left = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    assert figures[0] == f"Images={sum(each.kind == 'image' for each in left.artifacts)}"
    assert not {step.artifact for step in plan.steps} & {each.id for each in left.artifacts}
    assert docker.run("exec", "busy", BUSYBOX, "md5sum", "/v/w"), "what was kept still works"


def test_layers_that_only_build_cache_held_go_the_second_time(docker: Running, home: Path) -> None:
    """The engine says of a record that it shares with an image; when that image is gone the record is its own."""
    docker.run("image", "rm", "kit:1")
    before = docker.taken()
    plan = cleaning.plan(home, "DOCKER_HOST", docker.socket, names=["docker"])
    cleaning.make(home, plan)
    assert not docker.run("builder", "prune", "-f").startswith("ID"), "nothing that it would take is left"
    freed = before - docker.taken()
    assert 2_500_000 < plan.freed <= freed + 4096


@pytest.mark.parametrize("version", ["", "1.24", "1.39"])
def test_docker_volumes_pruned_through_an_old_api(docker: Running, home: Path, version: str) -> None:
    """Before API 1.42 a prune takes volumes with a name too. None is ever sent: one volume goes, by its name."""
    volumes = set(docker.run("volume", "ls", "-q").split())
    images = kept(docker)[0]
    with between(docker.socket, version) as (socket, seen):
        names = ["docker:volume/spare", "docker:volume/data"]
        plan = cleaning.plan(home, "DOCKER_HOST", socket, *names, names=["docker"])
        ledger = cleaning.make(home, plan)
    assert set(docker.run("volume", "ls", "-q").split()) == volumes - {"spare"}
    assert not [each for each in seen.asked if "/prune" in each and "/build/prune" not in each]
    assert all("filters=" in each and "private" in each for each in seen.changes if "/build/prune" in each)
    spoken = {each.split("/")[1] for each in seen.asked if each not in ("GET /version", "GET /_ping")}
    assert spoken == {f"v{version or '1.41'}"}, "every question says its version"
    assert {each.artifact: each.why for each in plan.skipped}["docker:volume/data"].startswith("docker:container/busy")
    records = [number for number, step in enumerate(plan.steps) if step.ask and step.ask.kind == "build cache"]
    assert {ledger.states[number] for number in records} == ({"refused"} if version == "1.24" else {"purged"})
    assert kept(docker)[0] == images


def test_the_price_of_every_kind_of_thing(docker: Running, home: Path) -> None:
    """A stopped container, then its image, then a volume: named one by one, priced as a set."""
    before = docker.taken()
    names = ["docker:container/old", "docker:volume/spare"]
    plan = cleaning.plan(home, "DOCKER_HOST", docker.socket, *names, names=names)
    assert [step.ask.kind for step in plan.steps if step.ask] == ["container", "volume"]
    assert plan.worst_proof == "unproven"
    assert set(cleaning.make(home, plan).states) == {"purged"}
    again = cleaning.plan(
        home, "DOCKER_HOST", docker.socket, "docker:image/classic:2", names=["docker:image/classic:2"]
    )
    assert set(cleaning.make(home, again).states) == {"purged"}
    freed = before - docker.taken()
    assert plan.freed + again.freed == 1_300_000 + 1_400_000 + 2_000_000
    assert plan.freed + again.freed <= freed + 4096
    assert "classic:1" in docker.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")


def test_an_image_with_two_tags_goes_with_both(docker: Running, home: Path) -> None:
    docker.run("tag", "classic:2", "second.example/name:tag")
    docker.run("rm", "old")
    image = "docker:image/classic:2"
    plan = cleaning.plan(home, "DOCKER_HOST", docker.socket, image, names=[image])
    assert [step.ask.seen for step in plan.steps if step.ask] == ["classic:2\nsecond.example/name:tag"]
    assert set(cleaning.make(home, plan).states) == {"purged"}
    assert "second.example" not in docker.run("image", "ls")


def test_as_a_person_types_it(docker_engine: Running, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    image = cleaning.untagged(docker_engine, "typed")
    where = {"DOCKER_HOST": f"unix://{docker_engine.socket}"}, home, False
    for module in ("looking", "yards"):
        monkeypatch.setattr(f"modelyard.cli.{module}.place", lambda request: where)
    real = time.time_ns
    answer = run("clean", "docker", "--dry-run")
    assert image[:12] not in answer.out, "a build may be at it"
    monkeypatch.setattr("modelyard.cli.clean.time.time_ns", lambda: real() + cleaning.LATER)
    answer = run("clean", "docker", "--keep", "build-cache", "--dry-run")
    assert f"docker:image/{image[:12]}" in answer.out
    assert "for good" in answer.out
    assert "keep no trash" in answer.out
    answer = run("clean", "docker", "--keep", "build-cache", "--yes")
    assert answer.code == 0, answer.out
    assert "removed for good by their services" in answer.out
    assert "modelyard purge" not in answer.out, "nothing waits in the trash"
    name = answer.out.partition("(plan ")[2].partition(")")[0]
    answer = run("undo", name)
    assert (answer.code, "keep no trash" in answer.out) == (3, True)
    assert not cleaning.has(docker_engine, image)


def test_only_so_many_as_are_wanted(docker: Running, home: Path) -> None:
    """What is built on others is never left while they go: the engine would keep them."""
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    whole = cleaning.plan(home, "DOCKER_HOST", docker.socket)
    for wanted in range(500_000, whole.freed, 500_000):
        plan = cleaning.wanted(found, home, Wish(wanted=wanted))
        assert plan.freed >= wanted
        assert not [each for each in plan.skipped if "built on" in each.why]

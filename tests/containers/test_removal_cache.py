"""The build cache of a real engine, record by record: what a build needs again stays, and no filter takes more."""

from __future__ import annotations

from pathlib import Path

import pytest

from containers import between, cleaning, surveys
from containers.between import Passed
from containers.engines import Running
from modelyard.owners.docker import look
from modelyard.owners.engine import Engine
from modelyard.owners.services import Services
from modelyard.plan import Ask, Plan, Step
from modelyard.plan import Path as Place


def records(docker: Running) -> set[str]:
    """The names of all records."""
    engine = look(f"unix://{docker.socket}")
    assert isinstance(engine, Engine)
    return {each.id for each in engine.records or ()}


def of_cache(plan: Plan) -> list[Step]:
    """The steps that ask for build cache."""
    return [step for step in plan.steps if step.ask and step.ask.kind == "build cache"]


@pytest.fixture
def built(docker: Running) -> Running:
    """Two builds whose image is gone, so that their cache is nobody's, a frontend's records among it."""
    context = docker.folder("kit", k=2_500_000)
    docker.run("image", "rm", "kit:1")
    (context / "Dockerfile").write_text("FROM base:1\nCOPY k /one\nCOPY k /two\n")
    docker.run("build", "-q", "-t", "kit:2", str(context), DOCKER_BUILDKIT="1")
    docker.run("image", "rm", "kit:2")
    return docker


def test_each_record_goes_alone_and_the_youngest_first(built: Running, home: Path) -> None:
    """The engine reads a name as a pattern: a record whose name fits must be the only one that goes."""
    before = built.taken()
    with between.between(built.socket) as (socket, seen):
        steps = of_cache(cleaning.plan(home, "DOCKER_HOST", socket))
        assert len(steps) > 3
        told = 0
        for step in steps:
            left = records(built)
            answer = Services().remove(step)
            assert answer.gone, (answer.why, step.ask)
            assert step.ask
            assert left - records(built) == {step.ask.name}, "one record and no other"
            assert Services().present(step) is False
            told += answer.freed
    assert len(seen.changes) == len(steps)
    freed = before - built.taken()
    assert 0 < told <= freed + 4096


def test_what_is_built_on_is_kept_while_the_other_is(built: Running, home: Path) -> None:
    steps = of_cache(cleaning.plan(home, "DOCKER_HOST", built.socket))
    left = records(built)
    answers = [Services().remove(step) for step in reversed(steps)]
    refused = [each.why for each in answers if not each.gone]
    assert any("is built on it" in each for each in refused)
    assert len(left - records(built)) == len(steps) - len(refused)


def test_a_record_that_an_image_got_again_stays(built: Running, home: Path) -> None:
    """Somebody builds from the cache between plan and making: its layers are an image's now."""
    plan = cleaning.plan(home, "DOCKER_HOST", built.socket)
    built.run("build", "-q", "-t", "kit:2", str(built.base / "kit"), DOCKER_BUILDKIT="1")
    ledger = cleaning.make(home, plan)
    assert any("shares its layers with an image" in why or "built on it" in why for why in ledger.reasons.values())
    built.run("run", "--rm", "--network", "none", "kit:2", "/bin/busybox", "md5sum", "/one", "/two")


def test_one_that_an_image_got_after_the_last_look_stays(built: Running, home: Path) -> None:
    """The engine is told to leave what is shared, so the moment between look and removal is safe too."""
    steps = of_cache(cleaning.plan(home, "DOCKER_HOST", built.socket))

    def late(passed: Passed) -> tuple[int, bytes]:
        seen.turns.clear()
        built.run("build", "-q", "-t", "kit:2", str(built.base / "kit"), DOCKER_BUILDKIT="1")
        return passed()

    kept = ""
    with between.between(built.socket) as (socket, seen):
        for step in steps:
            seen.turns["POST "] = late
            kept += Services().remove(Step("ask", Place(f"unix://{socket}"), None, "x", ask=step.ask)).why
            if not seen.turns:
                built.run("image", "rm", "kit:2")
    assert "the engine kept it" in kept
    built.run("build", "-q", "-t", "kit:2", str(built.base / "kit"), DOCKER_BUILDKIT="1")
    found = surveys.look(home, DOCKER_HOST=f"unix://{built.socket}")
    assert "docker:image/kit:2" in {each.id for each in found.artifacts}
    built.run("run", "--rm", "--network", "none", "kit:2", "/bin/busybox", "md5sum", "/one", "/two")


@pytest.mark.parametrize("name", [".", ".*", "", "a", "[a-z]*", "a" * 25])
def test_a_pattern_takes_nothing(built: Running, name: str) -> None:
    left = records(built)
    step = Step("ask", Place(f"unix://{built.socket}"), None, "x", ask=Ask("docker", "build cache", name))
    Services().remove(step)
    assert records(built) == left

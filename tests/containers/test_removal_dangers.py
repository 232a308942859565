"""What may happen between a plan and its making: nothing that is used goes, and the journal says what became of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from containers import between, cleaning
from containers.between import Passed
from containers.engines import BUSYBOX, LIMITS, Running
from modelyard import plan as plans
from modelyard.owners.services import Services
from modelyard.plan import Ask, Plan, Step
from modelyard.plan import Path as Place

VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Running:
    """Docker, then Podman."""
    running: Running = request.getfixturevalue(f"{request.param}_engine")
    return running


def owner(engine: Running) -> str:
    """Which it is."""
    return "podman" if "podman" in engine.command[0] else "docker"


def planned(home: Path, engine: Running, socket: Path, *images: str) -> Plan:
    """A plan of these images and nothing else."""
    whole = cleaning.plan(home, VARIABLES[owner(engine)], socket)
    steps = [step for step in whole.steps if step.ask and step.ask.name in images]
    assert len(steps) == len(images)
    return msgspec.structs.replace(whole, steps=steps).sealed()


def containers(engine: Running, *words: str) -> str:
    """Makes a container; its id."""
    limits = LIMITS if owner(engine) == "podman" else ()
    return engine.run(words[0], *limits, "--network", "none", *words[1:])


Change = Callable[[Running, str], object]
CHANGES: dict[str, tuple[Change, str]] = {
    "a container was started": (
        lambda engine, image: containers(engine, "run", "-d", "--name", "new", image, BUSYBOX, "sleep", "60"),
        "the container new was made of it",
    ),
    "a container was made and never started": (
        lambda engine, image: containers(engine, "create", "--name", "new", image, BUSYBOX),
        "the container new was made of it",
    ),
    "it got a tag": (lambda engine, image: engine.run("tag", image, "kept:now"), "its tags are other ones now"),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_between_plan_and_making(engine: Running, home: Path, change: str) -> None:
    image = cleaning.untagged(engine, "between")
    plan = planned(home, engine, engine.socket, image)
    act, why = CHANGES[change]
    act(engine, image)
    try:
        ledger = cleaning.make(home, plan)
        assert ledger.states == ["refused"]
        assert why in ledger.reasons[0]
        assert cleaning.has(engine, image)
    finally:
        if "container" in change:
            engine.run("rm", "-f", "new")
        engine.run("rmi", "kept:now" if "tag" in change else image)


def test_a_container_that_came_after_the_last_look_still_keeps_its_image(engine: Running, home: Path) -> None:
    """The engine itself refuses, because nothing is ever forced."""
    image = cleaning.untagged(engine, "late")

    def late(passed: Passed) -> tuple[int, bytes]:
        containers(engine, "create", "--name", "late", image, BUSYBOX)
        return passed()

    with between.between(engine.socket, name=f"{owner(engine)}.sock") as (socket, seen):
        plan = planned(home, engine, socket, image)
        seen.turns["DELETE "] = late
        ledger = cleaning.make(home, plan)
    assert ledger.states == ["refused"]
    assert "answered 409" in ledger.reasons[0]
    assert cleaning.has(engine, image)
    assert all("force=false" in each for each in seen.changes)
    engine.run("rm", "-f", "late")
    engine.run("rmi", image)


def test_one_that_somebody_removed_meanwhile(engine: Running, home: Path) -> None:
    image = cleaning.untagged(engine, "vanished")
    plan = planned(home, engine, engine.socket, image)
    engine.run("rmi", image)
    ledger = cleaning.make(home, plan)
    assert (ledger.states, ledger.reasons) == (["purged"], {0: "it was gone already"})


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
def test_an_engine_that_says_no(engine: Running, home: Path, status: int) -> None:
    """What is still there was not removed, whatever the number is."""
    image = cleaning.untagged(engine, "refused")
    with between.between(engine.socket, name=f"{owner(engine)}.sock") as (socket, seen):
        plan = planned(home, engine, socket, image)
        seen.turns["DELETE "] = between.says(status, "not \x1b[31mtoday")
        ledger = cleaning.make(home, plan)
    assert ledger.states == ["refused"]
    assert ledger.reasons[0].startswith(f"the engine answered {status}: not ")
    assert "\x1b" not in ledger.reasons[0]
    engine.run("rmi", image)


def test_an_engine_that_fails_after_the_work_is_done(engine: Running, home: Path) -> None:
    image = cleaning.untagged(engine, "done")

    def failed(passed: Passed) -> tuple[int, bytes]:
        passed()
        return between.says(500, "database is locked")(passed) or (500, b"")

    with between.between(engine.socket, name=f"{owner(engine)}.sock") as (socket, seen):
        plan = planned(home, engine, socket, image)
        seen.turns["DELETE "] = failed
        ledger = cleaning.make(home, plan)
    assert ledger.states == ["purged"]
    assert not cleaning.has(engine, image)


@pytest.mark.parametrize("dies", ["before", "after"])
def test_an_engine_that_stops_in_the_middle(engine: Running, home: Path, dies: str) -> None:
    """While nobody answers the journal leaves it open; the next start asks what is there."""
    image = cleaning.untagged(engine, "middle")
    dying = between.dies_before if dies == "before" else between.dies_after
    with between.between(engine.socket, name=f"{owner(engine)}.sock") as (socket, seen):
        plan = planned(home, engine, socket, image)

        def stops(passed: Passed) -> None:
            dying(passed)
            seen.turns["GET "] = between.dies_before

        seen.turns["DELETE "] = stops
        assert cleaning.make(home, plan).states == ["intent"]
        with cleaning.yard(home):
            assert cleaning.journal(home, plan).states == ["intent"], "nobody answers yet"
        seen.turns.clear()
        with cleaning.yard(home):
            pass
    assert cleaning.journal(home, plan).states == ["refused" if dies == "before" else "purged"]
    assert cleaning.has(engine, image) is (dies == "before")
    if dies == "before":
        engine.run("rmi", image)


@pytest.mark.parametrize("done", [False, True])
def test_killed_between_intent_and_answer(engine: Running, home: Path, done: bool) -> None:
    """SIGKILL while the engine has the request: the next start finds out what became of it."""
    image = cleaning.untagged(engine, "killed")
    asked, released = threading.Event(), threading.Event()

    def slow(passed: Passed) -> tuple[int, bytes] | None:
        answer = passed() if done else None
        asked.set()
        released.wait(60)
        return answer

    with between.between(engine.socket, name=f"{owner(engine)}.sock") as (socket, seen):
        plan = planned(home, engine, socket, image)
        seen.turns["DELETE "] = slow
        file = home / "plan.json"
        file.write_bytes(plans.encode(plan))
        process = subprocess.Popen(
            [sys.executable, "-m", "modelyard", "--home", home, "apply", file, "--yes"],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert asked.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert cleaning.journal(home, plan).states == ["intent"]
        released.set()
        seen.turns.clear()
        with cleaning.yard(home):
            pass
    assert cleaning.journal(home, plan).states == ["purged" if done else "refused"]
    assert cleaning.has(engine, image) is not done
    if not done:
        engine.run("rmi", image)


HOSTILE: dict[str, tuple[str, Ask]] = {
    "a name that is a way to something else": ("", Ask("docker", "image", "../containers/busy")),
    "a name that fits many records": ("", Ask("docker", "build cache", ".*")),
    "a volume called prune with a query": ("", Ask("docker", "volume", "prune?filters={}")),
    "a short name": ("", Ask("docker", "image", "abc")),
    "a model in an engine": ("", Ask("docker", "model", "llama")),
    "another engine than was meant": ("", Ask("podman", "image", "a" * 64)),
    "another machine": ("tcp://127.0.0.1:{port}", Ask("docker", "image", "a" * 64)),
    "another machine by a name": ("http://127.0.0.1:{port}", Ask("docker", "image", "a" * 64)),
    "an image of Ollama": ("http://127.0.0.1:{port}", Ask("ollama", "image", "a" * 64)),
}


@pytest.mark.parametrize("danger", list(HOSTILE))
def test_a_plan_that_somebody_wrote(docker_engine: Running, danger: str) -> None:
    """A plan may come from a file: what it asks for is never more than one thing of this machine."""
    address, ask = HOSTILE[danger]
    with between.between(docker_engine.socket) as (socket, seen):
        at = address.format(port=1) or f"unix://{socket}"
        step = Step("ask", Place(at), None, "docker:image/x", ask=ask)
        answer = Services().remove(step)
        assert answer.gone is False
        assert answer.why
        assert Services().present(step) is None
    assert not seen.changes


def test_a_volume_that_was_made_anew_is_another_one(engine: Running, home: Path) -> None:
    engine.run("volume", "create", "again")
    name = f"{owner(engine)}:volume/again"
    plan = cleaning.plan(home, VARIABLES[owner(engine)], engine.socket, name, names=[name])
    (step,) = plan.steps
    assert step.ask
    assert step.ask.seen
    other = replace_ask(plan, "2020-01-01T00:00:00Z")
    assert cleaning.make(home, other).reasons == {0: "another volume of this name was made since"}
    assert cleaning.make(home, plan).states == ["purged"]
    assert "again" not in engine.run("volume", "ls", "-q").split()


def test_a_volume_that_a_container_took_meanwhile_stays(engine: Running, home: Path) -> None:
    engine.run("volume", "create", "taken")
    image = cleaning.untagged(engine, "user")
    name = f"{owner(engine)}:volume/taken"
    plan = cleaning.plan(home, VARIABLES[owner(engine)], engine.socket, name, names=[name])
    containers(engine, "create", "--name", "user", "-v", "taken:/v", image, BUSYBOX)
    assert cleaning.make(home, plan).reasons == {0: "the container user uses it"}
    engine.run("rm", "-f", "user")
    assert "taken" in engine.run("volume", "ls", "-q").split()
    engine.run("volume", "rm", "taken")
    engine.run("rmi", image)


def replace_ask(plan: Plan, seen: str) -> Plan:
    """The plan with a step that saw something else."""
    (step,) = plan.steps
    assert step.ask
    ask = msgspec.structs.replace(step.ask, seen=seen)
    return msgspec.structs.replace(plan, steps=[msgspec.structs.replace(step, ask=ask)]).sealed()


def test_nobody_but_a_plan_in_the_making_asks_for_a_removal() -> None:
    """What imports cannot be told by layers: a survey has no way to the removing modules."""
    source = Path(plans.__file__).parent
    users = {
        word: {path.name for path in source.rglob("*.py") if word in path.read_text()}
        for word in ("import docker_removal", "services import Services", '"DELETE"', 'prefix}/build/prune"', "s/prune")
    }
    assert users == {
        "import docker_removal": {"services.py"},
        "services import Services": {"reclaim.py"},
        '"DELETE"': {"docker_removal.py", "ollama.py", "ollama_making.py", "engine_line.py"},
        'prefix}/build/prune"': {"docker_removal.py"},
        "s/prune": set(),
    }

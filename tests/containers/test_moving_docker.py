"""A real Docker engine's folder gets another place while it is stopped, and comes back: it shows the same each time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from containers import engines
from containers.engines import BUSYBOX, Running
from modelyard import api
from modelyard.api.moving import Refusal, Wish, plan_move
from moving.making import CAPABLE, sight
from typed import Answer
from walk.disks import loop_disk, mounted

STOP = "sudo systemctl stop docker docker.socket"
LISTS = (
    ("image", "ls", "-a", "--no-trunc", "--digests", "--format", "{{.ID}} {{.Repository}} {{.Tag}} {{.Size}}"),
    ("container", "ls", "-a", "--no-trunc", "--format", "{{.ID}} {{.Image}} {{.Names}} {{.State}} {{.Size}}"),
    ("volume", "ls", "--format", "{{.Name}} {{.Driver}}"),
    ("system", "df", "-v", "--format", "{{range .BuildCache}}{{.ID}} {{.CacheType}} {{.Size}};{{end}}"),
    ("logs", "old"),
)
SEEN = f"{BUSYBOX} find / -xdev ! -path '/etc/host*' ! -path '/etc/resolv*' | {BUSYBOX} sort; {BUSYBOX} sha256sum /k"


@dataclass
class Story:
    """What happened to one engine, from its start in one place to its end in another."""

    base: Path
    home: Path
    old: Path
    new: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    shown: dict[str, list[list[str]]] = field(default_factory=dict)
    seen: dict[str, dict[str, tuple[object, ...]]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    folder: str = ""

    @property
    def file(self) -> Path:
        """The settings of the engine."""
        return self.home / ".config" / "docker" / "daemon.json"

    def engine(self) -> AbstractContextManager[Running]:
        """The engine, started with its settings file."""
        return engines.started(self.base, "--config-file", str(self.file))

    def typed(self, stage: str, *words: str) -> Answer:
        """A command that is typed."""
        program = [sys.executable, "-m", "modelyard", "--home", str(self.home), *words]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        self.answers[stage] = Answer(done.returncode, done.stdout, done.stderr)
        return self.answers[stage]

    def move(self, stage: str) -> Answer:
        """The move, typed."""
        return self.typed(stage, "move", "docker", str(self.new), "--yes")

    def refused(self, stage: str, **env: str) -> None:
        """The move, asked for with these variables, and why it was refused."""
        found = api.survey(env, self.home, "linux", system=False)
        using = api.everyone(found, env, self.home, "linux", system=False)
        with pytest.raises(Refusal) as told:
            plan_move(found, using, Wish("docker", str(self.new)), env, self.home, "linux")
        self.refusals[stage] = f"{told.value}: {told.value.instead}"


def fill(running: Running) -> None:
    """Images of which layers hide what is below them, containers, volumes, and a build cache."""
    made = running.folder("base", blob=2_000_000, gone=1_000)
    shutil.copytree(made, made / "etc" / "old")
    (made / "bin").mkdir()
    shutil.copy(BUSYBOX, made / "bin" / "busybox")
    os.link(made / "blob", made / "second-name")
    os.setxattr(made / "bin" / "busybox", "security.capability", CAPABLE)
    os.chown(made / "blob", 1234, 4321)
    packed = running.base / "base.tar"
    subprocess.run(["tar", "--xattrs", "--xattrs-include=*", "-C", made, "-cf", packed, "."], check=True)
    running.run("import", str(packed), "base:1")
    context = running.folder("kit", k=500_000)
    lines = [f'RUN ["{BUSYBOX}", {words}]' for words in ('"rm", "/gone"', '"sh", "-c", "X"')]
    script = f"{BUSYBOX} rm -r /etc/old && {BUSYBOX} mkdir /etc/old && {BUSYBOX} mkfifo /pipe"
    text = "\n".join(["FROM base:1", "COPY k /k", *lines]).replace('"X"', json.dumps(script))
    (context / "Dockerfile").write_text(text + "\n")
    running.run("build", "-q", "--network=none", "-t", "kit:1", str(context), DOCKER_BUILDKIT="1")
    options = ("--network", "none", "-v", "data:/v")
    running.run("run", "-d", "--name", "busy", *options, "kit:1", BUSYBOX, "sleep", "600")
    running.run("run", "--name", "old", *options, "kit:1", BUSYBOX, "sh", "-c", "/bin/busybox date | "
                "/bin/busybox tee /v/w; /bin/busybox rm -r /etc/old; /bin/busybox mkdir /etc/old")  # fmt: skip


def shown(running: Running) -> list[list[str]]:
    """What the engine tells, and what a container of an image sees."""
    ran = running.run("run", "--rm", "--network", "none", "-v", "data:/v", "kit:1", BUSYBOX, "sh", "-c", SEEN)
    return [*(sorted(running.run(*each).splitlines()) for each in LISTS), ran.splitlines()]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """One engine, moved, taken back, moved again, and used at every place."""
    engines.needed("dockerd", "containerd", "runc", "docker", "busybox")
    with engines.base_of("docker") as base, loop_disk("ext4", base) as disk:
        told = Story(base, base / "home", base / "data", disk / "docker")
        told.file.parent.mkdir(parents=True)
        told.file.write_text(f'{{ "debug": true,\n\t"data-root": "{told.old}", "labels": ["a=b"] }}\n')
        _while_it_runs(told)
        _mounts(told)
        told.seen["before"], told.settings["before"] = sight(told.old), told.file.read_text()
        told.move("moved")
        told.seen["moved"], told.settings["moved"] = sight(told.new), told.file.read_text()
        told.typed("undone", "undo")
        told.seen["undone"], told.settings["undone"] = sight(told.old), told.file.read_text()
        with told.engine() as running:
            told.shown["undone"] = shown(running)
        told.move("moved again")
        with told.engine() as running:
            told.shown["moved"] = shown(running)
            told.folder = running.run("info", "-f", "{{.DockerRootDir}}")
        told.typed("undone after use", "undo")
        told.settings["undone after use"] = told.file.read_text()
        told.seen["used"] = sight(told.new)
        told.typed("back", "move", "docker", str(told.old), "--yes")
        told.seen["back"] = sight(told.old)
        told.typed("purged", "purge", "--yes")
        yield told


def _while_it_runs(told: Story) -> None:
    with told.engine() as running:
        fill(running)
        told.move("running")
        told.refused("answering", DOCKER_HOST=f"unix://{running.socket}")
        running.run("stop", "-t", "0", "busy")
        told.shown["before"] = shown(running)


def _mounts(told: Story) -> None:
    """Something is mounted below, for all to see, and then for a program alone."""
    layer = next(each for each in (told.old / "overlay2").iterdir() if (each / "work").is_dir())
    with mounted("tmpfs", layer / "merged", "-t", "tmpfs"):
        told.refused("mounted")
    (layer / "merged").rmdir()
    options = f"lowerdir={layer}/diff,upperdir={told.base}/up,workdir={told.base}/work"
    for name in ("up", "work", "m"):
        (told.base / name).mkdir()
    script = f"mount -t overlay overlay -o {options} {told.base}/m && echo && cat"
    program = ["unshare", "-m", "sh", "-c", script]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as seeing:
        assert seeing.stdout
        assert seeing.stdin
        assert seeing.stdout.readline()
        told.refused("mounted elsewhere")
        seeing.stdin.close()


def test_an_engine_that_runs_is_refused_with_the_process_and_what_to_do(story: Story) -> None:
    done = story.answers["running"]
    assert done.code == 4, done
    assert "dockerd" in done.err
    assert STOP in done.err


def test_an_engine_that_answers_is_refused(story: Story) -> None:
    assert "its engine answers" in story.refusals["answering"]
    assert STOP in story.refusals["answering"]


def test_a_container_still_mounted_below_is_refused(story: Story) -> None:
    """Containers may outlive their engine."""
    assert "merged is mounted in it" in story.refusals["mounted"]
    assert STOP in story.refusals["mounted"]


def test_what_another_program_alone_sees_mounted_is_refused(story: Story) -> None:
    assert "has something of it mounted" in story.refusals["mounted elsewhere"]


def test_all_of_it_is_at_the_new_place(story: Story) -> None:
    assert story.answers["moved"].code == 0, story.answers["moved"]
    assert story.seen["moved"] == story.seen["before"]


def test_whiteouts_opaque_folders_pipes_and_capabilities_survive(story: Story) -> None:
    told = story.seen["moved"]
    held = [tuple(pair) for each in told.values() for pair in each[5]]  # type: ignore[attr-defined]
    assert any(name.endswith("/gone") and each[0] == "0o20000" and each[4] == 0 for name, each in told.items())
    assert any(name.endswith("/pipe") and str(each[0]).startswith("0o10") for name, each in told.items())
    assert {("trusted.overlay.opaque", b"y"), ("security.capability", CAPABLE)} <= set(held)


def test_the_setting_is_written_and_all_else_in_the_file_stays(story: Story) -> None:
    assert story.settings["moved"] == story.settings["before"].replace(str(story.old), str(story.new))
    assert "systemctl --user start docker" in story.answers["moved"].out
    assert "docker info -f '{{.DockerRootDir}}'" in story.answers["moved"].out


def test_undo_brings_folder_and_setting_back(story: Story) -> None:
    assert story.answers["undone"].code == 0, story.answers["undone"]
    assert story.seen["undone"] == story.seen["before"]
    assert story.settings["undone"] == story.settings["before"]
    assert story.shown["undone"] == story.shown["before"]


def test_the_engine_shows_the_same_at_the_new_place(story: Story) -> None:
    assert story.answers["moved again"].code == 0, story.answers["moved again"]
    assert story.folder == str(story.new)
    assert story.shown["moved"] == story.shown["before"]
    assert all(story.shown["moved"])


def test_what_the_engine_did_at_the_new_place_is_not_lost_by_an_undo(story: Story) -> None:
    done = story.answers["undone after use"]
    assert done.code != 0, done
    assert "was changed since it was moved there" in done.out + done.err
    assert story.settings["undone after use"] == story.settings["moved"]


def test_after_use_it_is_moved_back_and_what_is_left_can_be_purged(story: Story) -> None:
    assert story.answers["back"].code == 0, story.answers["back"]
    assert story.seen["back"] == story.seen["used"]
    assert story.file.read_text() == story.settings["before"]
    assert story.answers["purged"].code == 0, story.answers["purged"]
    left = {path.name for root in (story.base, story.new.parent) for path in root.glob(".modelyard-*")}
    assert not left
    assert not story.new.exists()

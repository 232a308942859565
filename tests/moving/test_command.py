"""`modelyard move` as people type it: single models, refusals that help, secrets, variables, saved plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

import makers
from modelyard import api
from modelyard.api.moving import Wish, plan_move
from modelyard.inventory import Root
from modelyard.stores.told import Surroundings, Written, written
from moving.making import contents, sight
from typed import Run
from walk.disks import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Another file system."""
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


def ids(home: Path) -> dict[str, int]:
    """Every artifact with its apparent bytes."""
    return {each.id: each.sizes.apparent for each in api.survey({}, home, "linux", system=False).artifacts}


def gguf(path: Path, size: int = 60_000_000) -> Path:
    """A model file on its own, almost all of it a hole."""
    makers.write(path, b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size - 5_000)
        file.write(os.urandom(5_000))
    os.posix_fallocate(os.open(path, os.O_RDWR), 0, size)
    return path


def piece(kind: str, home: Path) -> tuple[Path, str]:
    """Something that can be moved by itself: where it lies, and how it is called."""
    if kind == "checkpoint":
        return makers.trainer_checkpoint(home / "work" / "out", 500), "checkpoint:work/out/checkpoint-500"
    if kind == "run":
        makers.trainer_checkpoint(home / "work" / "out", 500)
        makers.trainer_checkpoint(home / "work" / "out", 1000)
        return home / "work" / "out", str(home / "work" / "out")
    if kind == "lmstudio":
        makers.write(home / ".lmstudio" / "settings.json", "{}")
        makers.write(home / ".lmstudio" / "models" / "acme" / "tiny" / "tiny-Q4_K_M.gguf", os.urandom(9000))
        return home / ".lmstudio" / "models" / "acme" / "tiny", "lmstudio:acme/tiny@Q4_K_M"
    if kind == "comfyui":
        for name in ("main.py", "folder_paths.py"):
            makers.write(home / "ComfyUI" / name, "")
        model = makers.write(home / "ComfyUI" / "models" / "checkpoints" / "flux.safetensors", os.urandom(9000))
        return model, "comfyui:ComfyUI/models/checkpoints/flux.safetensors"
    return gguf(home / "downloads" / "model.gguf"), "loose:downloads/model.gguf"


@pytest.mark.parametrize("kind", ["checkpoint", "run", "lmstudio", "comfyui", "loose"])
def test_a_single_artifact_moves_and_leaves_a_link(kind: str, home: Path, disk: Path, run: Run) -> None:
    source, name = piece(kind, home)
    before, whole = sight(source), contents(home)
    done = run("move", name, str(disk), "--yes")
    assert done.code == 0, done
    target = disk / source.name
    assert os.readlink(source) == str(target)
    assert sight(target) == before
    assert run("undo").code == 0
    assert sight(source) == before
    kept = contents(home)
    assert {path: kept[path] for path in whole} == whole


def test_what_its_store_finds_in_its_own_folder_alone_is_refused_by_itself(home: Path, disk: Path, run: Run) -> None:
    makers.hub_repo(home / ".cache" / "huggingface" / "hub", "models--acme--one", {"model.safetensors": b"x" * 9000})
    done = run("move", "hf:model/acme/one@aaaaaaaaaaaa", str(disk), "--yes")
    assert done.code == 4
    assert "`modelyard move hf DEST` moves all of it" in done.err


def test_an_environment_below_is_refused_with_its_name(home: Path, disk: Path, run: Run) -> None:
    makers.conda_env(home / "miniconda3" / "envs" / "old")
    makers.write(home / "work" / "out" / "env" / "pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n")
    makers.write(home / "work" / "out" / "env" / "bin" / "python", "")
    makers.trainer_checkpoint(home / "work" / "out", 500)
    for name in ("conda:env/old", str(home / "work" / "out"), "venv"):
        done = run("move", name, str(disk), "--yes")
        assert done.code == 4, done
        assert "`modelyard env freeze` it and `modelyard env restore` it at the new place" in done.err


def test_places_that_cannot_be_one_are_refused(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    cache = home / ".cache" / "pip"
    for target, words in (
        (disk / "not" / "there", "is its drive mounted?"),
        (cache / "inside", "lies in"),
        (disk, "something is at"),
    ):
        makers.write(disk / "pip", b"something")
        done = run("move", "pip", str(target), "--yes")
        assert done.code == 4, done
        assert words in done.err
    assert run("move", "nothing", str(disk)).code == 1
    assert run("move", "pip").code == 2


def test_without_a_terminal_or_yes_nothing_changes(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    before = contents(home)
    assert run("move", "pip", str(disk)).code == 4
    assert run("move", "pip", str(disk), "--dry-run").code == 0
    assert contents(home) == before
    assert not [*disk.iterdir()]


def test_what_a_process_has_open_is_refused_with_the_process_named(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    held = next(path for path in (home / ".cache" / "pip").rglob("*") if path.is_file())
    program = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    holding = subprocess.Popen([sys.executable, "-c", program, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holding.stdin
    assert holding.stdout
    try:
        holding.stdout.readline()
        done = run("move", "pip", str(disk), "--yes")
        assert done.code == 4
        assert f"(process {holding.pid}) has a file of it open" in done.err
    finally:
        holding.communicate()
    assert run("move", "pip", str(disk), "--yes").code == 0


def test_what_is_opened_between_plan_and_apply_is_refused(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    plan = home / "plan.json"
    assert run("move", "pip", str(disk), "--plan", str(plan)).code == 0
    held = next(path for path in (home / ".cache" / "pip").rglob("*") if path.is_file())
    program = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    holding = subprocess.Popen([sys.executable, "-c", program, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holding.stdin
    assert holding.stdout
    try:
        holding.stdout.readline()
        done = run("apply", str(plan), "--yes")
        assert done.code == 3
        assert f"(process {holding.pid}) has a file of it open" in done.out
        assert "pip stays where it was" in done.out
    finally:
        holding.communicate()
    assert not (disk / "pip").exists()


def test_a_saved_plan_is_applied_once_and_says_the_same(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    plan = home / "plan.json"
    said = run("move", "pip", str(disk), "--plan", str(plan))
    done = run("apply", str(plan), "--yes")
    assert done.code == 0
    assert done.out.startswith(said.out)
    assert (disk / "pip").is_dir()
    assert run("apply", str(plan), "--yes").code == 1


def test_the_plan_as_json_tells_the_lines(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    document = json.loads(run("move", "pip", str(disk), "--dry-run", "--json").out)
    move = document["plan"]["moves"][0]
    assert move["lines"] == ["[global]", f"cache-dir = {disk}/pip"]
    assert (move["how"], move["renamed"]) == ("setting", False)
    assert [step["do"] for step in document["plan"]["steps"]] == ["copy", "write", "remove"]
    receipt = json.loads(run("move", "pip", str(disk), "--yes", "--json").out)["receipt"]
    assert (receipt["done"], receipt["failed"], receipt["skipped"]) == (3, [], [])


@pytest.mark.parametrize(
    ("shell", "file", "line"),
    [
        ("/bin/bash", ".bashrc", "export HF_HUB_CACHE='{}'"),
        ("/usr/bin/zsh", ".zshrc", "export HF_HUB_CACHE='{}'"),
        ("/usr/bin/fish", ".config/fish/config.fish", "set -gx HF_HUB_CACHE '{}'"),
    ],
)
def test_start_files_of_shells_are_written_only_when_asked_to(
    shell: str, file: str, line: str, home: Path, disk: Path
) -> None:
    makers.hub_repo(home / ".cache" / "huggingface" / "hub", "models--acme--one", {"model.safetensors": b"x" * 9000})
    (disk / "new place").mkdir()
    env = {"SHELL": shell}
    found = api.survey(env, home, "linux", system=False)
    using = api.everyone(found, env, home, "linux", system=False)
    written = []
    for write_rc in (False, True):
        plan = plan_move(found, using, Wish("hf", str(disk / "new place"), write_rc), env, home, "linux")
        assert plan
        move = plan.moves[0]
        line = line.format(disk / "new place" / "hub")
        assert (line in move.say, line in move.lines) == (not write_rc, write_rc)
        written.append([step.path.text for step in plan.steps if step.do == "write"])
    assert written == [[], [str(home / file)]]


def test_programs_that_are_started_by_a_click_are_thought_of_on_macos(home: Path, disk: Path) -> None:
    makers.hub_repo(home / ".cache" / "huggingface" / "hub", "models--acme--one", {"model.safetensors": b"x" * 9000})
    found = api.survey({}, home, "macos", system=False)
    using = api.everyone(found, {}, home, "macos", system=False)
    plan = plan_move(found, using, Wish("hf", str(disk)), {}, home, "macos")
    assert plan
    assert plan.moves[0].say[1] == f"launchctl setenv HF_HUB_CACHE {disk}/hub"


def test_the_service_of_ollama_gets_a_drop_in(home: Path) -> None:
    root = Root("/usr/share/ollama/.ollama/models", "default of the system service", system=True)
    found = written("ollama", root, "/mnt/big/models", Surroundings({}, home, "linux"))
    assert isinstance(found, Written)
    assert found.file == "/etc/systemd/system/ollama.service.d/override.conf"
    assert found.lines[-1] == 'Environment="OLLAMA_MODELS=/mnt/big/models"'
    assert written("ollama", replace(root, system=False), "/mnt/big", Surroundings({}, home, "linux")) is None


def test_root_moves_the_files_of_others_and_they_stay_theirs(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["whisper"](home)
    for path in (home / ".cache" / "whisper").iterdir():
        os.chown(path, 1234, 4321)
    before = sight(home / ".cache" / "whisper")
    assert run("move", "whisper", str(disk), "--yes").code == 0
    assert sight(disk / "whisper") == before
    assert run("undo").code == 0
    assert sight(home / ".cache" / "whisper") == before


def test_what_is_pinned_stays(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["whisper"](home)
    name = next(iter(ids(home)))
    assert run("pin", name).code == 0
    done = run("move", "whisper", str(disk), "--yes")
    assert done.code == 4
    assert f"`modelyard pin --remove {name}` lets it be moved" in done.err


def test_a_secret_stays_and_the_plan_says_where(home: Path, disk: Path, run: Run) -> None:
    models = home / ".local" / "share" / "nomic.ai" / "GPT4All"
    makers.write(models / "tiny.gguf", os.urandom(9000))
    makers.write(models / "remote.rmodel", "secret key")
    done = run("move", "gpt4all", str(disk), "--yes")
    assert done.code == 0, done
    assert "remote.rmodel may be a secret and stays in" in done.out
    assert (models / "remote.rmodel").read_text() == "secret key"
    assert [each.name for each in models.iterdir()] == ["remote.rmodel"]
    assert [each.name for each in (disk / "GPT4All").iterdir()] == ["tiny.gguf"]
    assert run("undo").code == 0
    assert sorted(each.name for each in models.iterdir()) == ["remote.rmodel", "tiny.gguf"]


def test_a_secret_where_only_a_link_could_lead_is_refused(home: Path, disk: Path, run: Run) -> None:
    makers.write(home / ".cache" / "gdown" / "file.bin", os.urandom(9000))
    makers.write(home / ".cache" / "gdown" / "cookies.txt", "secret")
    done = run("move", "gdown", str(disk), "--yes")
    assert done.code == 4
    assert "may be a secret, which modelyard never moves" in done.err


def test_links_from_elsewhere_keep_the_old_path_alive(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    some = next(path for path in (home / ".cache" / "pip").rglob("*") if path.is_file())
    (home / "mine").symlink_to(some)
    done = run("move", "pip", str(disk), "--yes")
    assert done.code == 0
    assert "goes on to find it by the link in the old place" in done.out
    assert (home / "mine").read_bytes() == (disk / "pip" / some.relative_to(home / ".cache" / "pip")).read_bytes()


def test_on_the_same_disk_it_is_renamed_and_told(home: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    inode = (home / ".cache" / "pip").stat().st_ino
    (home / "big").mkdir()
    done = run("move", "pip", str(home / "big"), "--yes")
    assert "renamed on the same file system" in done.out
    assert (home / "big" / "pip").stat().st_ino == inode
    assert not os.path.lexists(home / ".cache" / "pip")
    assert run("undo").code == 0
    assert (home / ".cache" / "pip").stat().st_ino == inode


def test_after_a_purge_nothing_is_taken_back(home: Path, disk: Path, run: Run) -> None:
    makers.layouts()["pip"](home)
    assert run("move", "pip", str(disk), "--yes").code == 0
    assert run("purge", "--yes").code == 0
    undone = run("undo")
    assert undone.code != 0 or "pip" not in undone.out
    assert (disk / "pip").is_dir()
    assert ids(home)
    assert "cache-dir" in (home / ".config" / "pip" / "pip.conf").read_text()

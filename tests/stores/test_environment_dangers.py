"""What environments can do to whoever looks at them, and to whoever would remove them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
import oracle
import prefixes
from modelyard import api
from modelyard.inventory import Artifact

HUGE = 1 << 30


def look(home: Path, **env: str) -> api.Survey:
    """A survey of the home alone."""
    return api.survey(env, home, "linux", system=False)


def only(found: api.Survey, store: str = "venv") -> Artifact:
    """The one artifact of a store."""
    (artifact,) = (each for each in found.artifacts if each.store == store)
    return artifact


def paths(found: api.Survey, artifact: Artifact) -> set[Path]:
    """Where its rows are."""
    return {Path(os.fsdecode(found.tree.path(row))) for row in artifact.rows}


def codes(found: api.Survey) -> list[str]:
    """The codes of all problems."""
    return [problem.code for problem in found.problems]


def huge(path: Path) -> None:
    """A file of a gigabyte that takes no space."""
    with path.open("wb") as file:
        file.truncate(HUGE)


def test_settings_of_a_gigabyte_are_not_read_and_hide_no_environment(home: Path) -> None:
    huge(prefixes.environment(home / "a" / ".venv") / "pyvenv.cfg")
    found = look(home)
    assert codes(found) == ["too-large"]
    assert only(found).detail == "Python ? by venv"
    assert only(found).state == "complete"


def test_settings_that_are_a_pipe_do_not_stop_a_survey(home: Path) -> None:
    place = prefixes.environment(home / "a" / ".venv")
    (place / "pyvenv.cfg").unlink()
    os.mkfifo(place / "pyvenv.cfg")
    assert codes(look(home)) == ["not-a-file"]


@pytest.mark.parametrize("settings", [b"", b"home\n", b"\xff\xfe=\xff\n", b"home = \n=\n", b"home = a\0b\n"])
def test_settings_that_say_nothing_prove_nothing(settings: bytes, home: Path) -> None:
    prefixes.environment(home / "a" / ".venv", settings)
    assert only(look(home)).state == "complete"


def test_a_home_that_is_a_loop_of_links_is_gone_and_not_followed_for_ever(home: Path) -> None:
    (home / "loop").symlink_to(home / "pool")
    (home / "pool").symlink_to(home / "loop")
    prefixes.environment(home / "a" / ".venv", f"home = {home}/loop\n")
    found = only(look(home))
    assert dict(found.facts)["Runs"] == f"no: {home}/loop is a loop of links"
    assert found.state == "dangling"


def test_a_python_that_is_a_loop_of_links_does_not_run(home: Path) -> None:
    place = prefixes.environment(home / "a" / ".venv", python="python3")
    (place / "bin" / "python3").symlink_to("python")
    found = only(look(home))
    assert "is a loop of links" in dict(found.facts)["Runs"]
    assert found.state == "dangling"


def test_a_python_out_of_reach_is_not_called_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that refuses: no permission is no absence."""
    place = prefixes.environment(home / "a" / ".venv")
    real = os.stat

    def refusing(path: object, *args: object, **options: object) -> os.stat_result:
        if path == bytes(place / "bin" / "python"):
            raise PermissionError(13, "refused")
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refusing)
    found = only(look(home))
    assert dict(found.facts)["Runs"] == "cannot be told: its Python is out of reach"
    assert found.state == "complete"


@pytest.mark.parametrize("note", [b"", b"work/project", b"/home\0/x", b"/gone/a\n/gone/b\n", b"../..\n"])
def test_a_project_note_that_is_no_path_is_a_problem_and_condemns_nothing(note: bytes, home: Path) -> None:
    makers.write(prefixes.environment(home / ".virtualenvs" / "a") / ".project", note)
    found = look(home)
    assert codes(found) == ["strange-note"]
    assert only(found).state == "complete"


def test_a_project_note_of_a_gigabyte_is_not_read(home: Path) -> None:
    huge(prefixes.environment(home / "envs" / "a") / ".project")
    found = look(home)
    assert codes(found) == ["too-large"]
    assert only(found).state == "complete"


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines", b" edges ", b"a\x1b[31mred"])
def test_a_project_with_a_strange_name_is_there(name: bytes, home: Path) -> None:
    project = os.path.join(bytes(home), name)
    os.mkdir(project)
    makers.write(prefixes.environment(home / "envs" / "a") / ".project", project)
    found = look(home)
    assert not codes(found)
    assert only(found).state == "complete"
    assert "\x1b" not in str(only(found).facts)
    os.rmdir(project)
    assert only(look(home)).state == ("complete" if b"\n" in name else "orphan")


@pytest.mark.parametrize("place", ["/mnt/disk/work", "/media/me/disk/work", "/Volumes/disk/work", "C:\\work"])
def test_a_project_on_a_disk_that_may_be_unplugged_is_not_called_gone(place: str, home: Path) -> None:
    makers.write(prefixes.environment(home / "envs" / "a") / ".project", place)
    found = only(look(home))
    assert found.state == "complete"
    assert "its disk may be unplugged" in dict(found.facts)["Project"]


def test_an_environment_made_in_a_project_s_own_folder_never_takes_the_project(home: Path) -> None:
    """`python -m venv .` is common: removing the environment must leave what somebody wrote."""
    project = prefixes.environment(home / "work")
    own = [
        makers.write(project / name, bytes(9000)) for name in ("train.py", "data/set.bin", "lib/mine.py", "bin/run.sh")
    ]
    (project / "lib64").symlink_to("lib")
    found = look(home)
    claimed = {path for top in paths(found, only(found)) for path in oracle.below(top)}
    assert not claimed & set(own)
    assert claimed >= {project / "pyvenv.cfg", project / "bin" / "python", project / "lib64"}
    assert only(found).sizes.freed == oracle.sums(claimed).freed
    assert dict(only(found).facts)["Project"] == f"{project} (it was made inside it)"


def test_checkouts_inside_an_environment_are_not_part_of_it(home: Path) -> None:
    place = prefixes.environment(home / "envs" / "a")
    mine = makers.write(place / "src" / "model" / "model.py", bytes(90_000))
    found = look(home)
    assert not {mine, mine.parent, mine.parent.parent, place} & paths(found, only(found))
    assert only(found).sizes.allocated < 90_000
    assert "Project" not in dict(only(found).facts)


def test_a_home_that_is_an_environment_does_not_take_everything(home: Path) -> None:
    prefixes.environment(home)
    makers.conda_env(home / "miniconda3")
    makers.write(home / "thesis.tex", bytes(9000))
    found = look(home)
    conda = only(found, "conda")
    assert conda.sizes.freed == conda.sizes.allocated > 0
    assert home / "thesis.tex" not in paths(found, only(found))
    assert home not in paths(found, only(found))


def test_an_environment_inside_an_environment_keeps_its_own_bytes(home: Path) -> None:
    outer = prefixes.environment(home / "outer")
    inner = prefixes.environment(outer / "share" / "inner")
    makers.write(inner / "lib/python3.11/site-packages/torch/lib.so", bytes(90_000))
    found = look(home)
    sizes = {each.id: each.sizes for each in found.artifacts}
    both = ["venv:outer", "venv:outer/share/inner"]
    assert sizes[both[1]].freed == sizes[both[1]].allocated == oracle.sums(oracle.below(inner)).allocated
    kept = {outer, outer / "share", *oracle.below(inner)}  # the folders on the way to it stay
    assert sizes[both[0]].freed == oracle.sums(set(oracle.below(outer)) - kept).freed
    assert found.freed(both).freed == oracle.sums(oracle.below(outer)).freed


def test_a_cache_inside_an_environment_is_the_cache_s(home: Path) -> None:
    place = prefixes.environment(home / "work" / ".venv")
    hub = place / "cache" / "huggingface" / "hub"
    makers.hub_repo(hub, "models--acme--tiny", {"model.safetensors": bytes(90_000)})
    found = look(home, HF_HUB_CACHE=str(hub))
    model = only(found, "hf")
    assert model.sizes.freed == model.sizes.allocated > 90_000
    assert only(found).sizes.freed < 90_000


@pytest.mark.parametrize("text", [b"[[[", b"\xff\xfe", b"a = 1\n", b"[a]\nminor = 3\n", b"[" * 60_000])
def test_poetry_s_note_when_broken_is_a_problem_and_hides_no_environment(text: bytes, home: Path) -> None:
    folder = home / ".cache/pypoetry/virtualenvs"
    prefixes.environment(folder / "vision-AAAAAAAA-py3.11")
    makers.write(folder / "envs.toml", text)
    found = look(home)
    assert codes(found) == ["unreadable-settings"]
    assert only(found).state == "complete"


def test_a_link_in_uv_s_cache_takes_no_environment_of_a_project(home: Path) -> None:
    makers.write(home / ".cache/uv/CACHEDIR.TAG")
    prefixes.environment(home / "work" / ".venv")
    holder = makers.write(home / ".cache/uv/environments-v2/aa/x.lock").parent
    (holder / "bb").symlink_to(home / "work" / ".venv")
    found = look(home)
    assert only(found).id == "venv:work/.venv"
    assert not any("aa/bb" in each.id for each in found.artifacts)


def test_links_between_projects_and_uv_s_cache_that_lead_round_end(home: Path) -> None:
    makers.write(home / ".cache/uv/CACHEDIR.TAG")
    bucket = makers.write(home / ".cache/uv/environments-v2/x.lock").parent
    (home / "work").mkdir()
    (home / "work" / ".venv").symlink_to(bucket / "proj")
    (bucket / "proj").symlink_to(home / "work" / ".venv")
    assert [each.id for each in look(home).artifacts] == ["uv:environments-v2"]


def test_five_thousand_packages_are_counted_and_the_biggest_found(home: Path) -> None:
    site = prefixes.environment(home / "work" / ".venv") / "lib/python3.11/site-packages"
    for number in range(5000):
        (site / f"p{number}-1.0.dist-info").mkdir()
        (site / f"p{number}").mkdir()
        (site / f"p{number}" / "x").write_bytes(b"x")
    makers.write(site / "p777" / "big", bytes(90_000))
    facts = dict(only(look(home)).facts)
    assert facts["Packages"] == "5,000"
    assert facts["Biggest packages"].startswith("p777 96.0 KiB, ")


@pytest.mark.parametrize("note", [b"[", b'{"manifest_path": 7}', b"\xff", b'{"manifest_path": "/a\\u0000b"}'])
def test_pixi_s_note_when_broken_condemns_nothing(note: bytes, home: Path) -> None:
    place = prefixes.pixi_environment(home / "vision")
    (place / "conda-meta" / "pixi").write_bytes(note)
    found = look(home)
    assert only(found, "conda").state == "complete"
    assert codes(found) == ([] if b"u0000" in note else ["strange-note"])


def test_pixi_s_note_of_a_gigabyte_is_not_read(home: Path) -> None:
    huge(prefixes.pixi_environment(home / "vision") / "conda-meta" / "pixi")
    assert codes(look(home)) == ["too-large"]

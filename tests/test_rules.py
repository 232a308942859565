"""Settings, pins and budgets as a person types them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import pytest

import makers
import oracle
from typed import Run

OLD = 1_700_000_000


@pytest.fixture
def full(home: Path) -> Path:
    """A hub cache with leftovers and a pip cache, written long ago."""
    for store in ("hf", "pip"):
        makers.layouts()[store](home)
    for path in oracle.below(home):
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    return home


def settings(home: Path, text: str) -> Path:
    """The user's settings."""
    return makers.write(home / ".config/modelyard/config.toml", text.encode())


def planned(run: Run, *words: str) -> tuple[set[str], dict[str, str]]:
    """The artifacts of a plan, and what was left out with the reasons."""
    answer = run("clean", "--dry-run", "--json", *words)
    assert answer.code == 0, answer.err
    plan = json.loads(answer.out)["plan"]
    return {each["artifact"] for each in plan["steps"]}, {each["artifact"]: each["why"] for each in plan["skipped"]}


def test_a_pinned_artifact_is_in_no_plan_until_it_is_let_go(run: Run, full: Path) -> None:
    orphan = next(each for each in planned(run)[0] if each.startswith("hf:model/acme/tiny#orphan"))
    assert run("pin", orphan).code == 0
    assert orphan in run("pin").out
    taken, left = planned(run)
    assert orphan not in taken
    assert "pinned" in left[orphan]
    assert orphan not in planned(run, "--include", orphan)[0]
    assert json.loads(run("pin", "--json").out)["pins"] == [{"id": orphan, "here": True}]
    assert run("pin", "--remove", orphan).code == 0
    assert orphan in planned(run)[0]


def test_a_pin_of_something_that_is_gone_can_be_removed(run: Run, full: Path) -> None:
    orphan = next(each for each in planned(run)[0] if each.startswith("hf:model/acme/tiny#orphan"))
    run("pin", orphan)
    run("clean", "--yes")
    makers.write(full / ".local/share/modelyard/pins.json", b'{"pins":["hf:gone"]}')
    assert "not here now" in run("pin").out
    assert run("pin", "--remove", "hf:gone").code == 0
    assert "Nothing is pinned" in run("pin").out
    assert run("pin", "hf:gone").code == 1


def test_damaged_pins_stop_every_plan(run: Run, full: Path) -> None:
    makers.write(full / ".local/share/modelyard/pins.json", b'{"pins":[')
    answer = run("clean", "--yes")
    assert (answer.code, "pins that are not understood" in answer.err) == (1, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[stores.hf\n", "not understood"),
        ("[stores.hf]\nnevr = true\n", "nevr"),
        ("[stores.hugingface]\nnever = true\n", "no store is called 'hugingface'"),
        ('[stores.hf]\nunused_for = "soon"\n', "not a span"),
        ("[stores.hf]\nkeep_last = -1\n", "less than 0"),
        ("[stores.hf]\nmin_free = 5\n", "str"),
        ("x = " + "[" * 20_000, "not understood"),
    ],
)
def test_mistyped_settings_stop_every_plan(run: Run, full: Path, text: str, words: str) -> None:
    settings(full, text)
    for command in (("clean", "--yes"), ("check",), ("purge", "--yes")):
        answer = run(*command)
        assert answer.code == 1
        assert words in answer.err
        assert "config.toml" in answer.err


def test_a_rule_keeps_a_store_out_of_plain_clean_too(run: Run, full: Path) -> None:
    before, _ = planned(run)
    settings(full, "[stores.hf]\nnever = true\n")
    after, left = planned(run)
    assert {each for each in before if not each.startswith("hf:")} == after
    assert after
    assert all(left[each] == "a rule of yours: never" for each in before - after)


def test_policy_runs_the_rules_and_nothing_else(run: Run, full: Path) -> None:
    settings(full, '[stores.pip]\nunused_for = "30d"\n')
    taken, _ = planned(run, "--policy")
    assert taken
    assert all(each.startswith("pip:") for each in taken)
    assert run("clean", "--policy", "hf").code == 2
    settings(full, "")
    assert planned(run, "--policy") == (set(), {})


def test_policy_stops_when_enough_is_free(run: Run, full: Path) -> None:
    settings(full, '[stores.pip]\nmin_free = "1KB"\n')
    assert planned(run, "--policy")[0] == set()
    settings(full, '[stores.pip]\nmin_free = "900PB"\n')
    assert planned(run, "--policy")[0]


def test_what_waits_in_the_trash_counts_as_free_for_a_policy(run: Run, full: Path) -> None:
    """A policy that runs every night would else take more each time, though a purge is all that is missing."""
    space = os.statvfs(full)
    goal = space.f_bavail * space.f_frsize + (1 << 40)  # more than everything here
    assert run("clean", "pip:http", "--yes").code == 0
    (trash,) = json.loads(run("ls", "trash", "--json").out)["artifacts"]
    with mock.patch(
        "os.statvfs", lambda path: mock.Mock(f_bavail=goal - trash["freed"], f_bfree=goal, f_blocks=goal, f_frsize=1)
    ):
        for size, wanted in ((goal, False), (goal + 1, True)):
            settings(full, f'[stores.pip]\nmin_free = "{size}B"\n')
            assert bool(planned(run, "--policy")[0]) == wanted
            assert bool(planned(run, "--until-free", f"{size}B")[0]) == wanted


def test_check_tells_by_its_exit_code(run: Run, full: Path) -> None:
    assert "No budgets" in run("check").out
    settings(full, '[stores.all]\nmin_free = "1KB"\n[stores.hf]\nmax_size = "1TB"\n')
    assert run("check").code == 0
    settings(full, '[stores.hf]\nmax_size = "1KB"\n')
    answer = run("check", "--json")
    assert answer.code == 5
    (budget,) = json.loads(answer.out)["budgets"]
    assert (budget["name"], budget["limit"], budget["exceeded"]) == ("hf", 1000, True)
    assert budget["found"] > 1000


def test_the_trash_is_kept_as_long_as_the_settings_say(run: Run, full: Path) -> None:
    settings(full, '[trash]\nkeep = "14d"\n')
    run("clean", "--yes")
    assert json.loads(run("purge", "--yes", "--json").out)["receipt"]["done"] == 0
    assert json.loads(run("purge", "--yes", "--json", "--older", "0s").out)["receipt"]["done"] > 0


def test_nothing_purges_itself_unless_the_settings_ask_for_it(run: Run, full: Path) -> None:
    run("clean", "pip", "--yes")
    run("clean", "hf", "--yes")
    assert [each["purged"] for each in json.loads(run("journal", "--json").out)["journals"]] == [0, 0]
    settings(full, '[trash]\nkeep = "0s"\npurge_older = true\n')
    makers.write(full / ".cache/pip/http-v2/a/b", b"again")
    os.utime(full / ".cache/pip/http-v2/a/b", (OLD, OLD))
    assert run("clean", "pip", "--yes").code == 0
    assert all(each["purged"] for each in json.loads(run("journal", "--json").out)["journals"])


def test_the_example_of_the_readme_is_understood(run: Run, full: Path) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text()
    settings(full, text.partition("```toml\n")[2].partition("```")[0])
    assert run("check").code in (0, 5)
    assert run("clean", "--policy", "--dry-run").code == 0

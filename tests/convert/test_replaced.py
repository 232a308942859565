"""What a plan says of an original that goes after its copy was proven: how it would come back, and what is lost."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import cast

import numpy
import pytest
import torch

from convert.checks import converted
from modelyard.api import converting
from modelyard.api.converting import Wish
from modelyard.api.reclaim import Yard
from modelyard.plan import Plan

STATE = {"w": torch.arange(6, dtype=torch.float32)}
OPTIMIZER = {"state": {0: {"m": torch.ones(4)}}, "param_groups": []}


class Notebook:
    """A yard that writes plans down and makes none."""

    plan: Plan

    def apply(self, plan: Plan) -> None:
        """Keeps it."""
        self.plan = plan


def planned(saved: object, home: Path, wish: Wish) -> Plan:
    """The plan that puts an original away."""
    torch.save(saved, home / "m.pt")
    notebook = Notebook()
    converting.replace(converted(home / "m.pt", wish), cast(Yard, notebook), home)
    return notebook.plan


def test_an_original_that_is_all_in_its_copy_is_a_duplicate(home: Path) -> None:
    plan = planned(STATE, home, Wish())
    (step,) = plan.steps
    assert (plan.worst_proof, step.recovery) == ("duplicate", "duplicate")
    assert step.proof.startswith(f"duplicate: equal in {home / 'm.safetensors'}, sha256 ")


def test_an_original_with_an_optimizer_is_slimmed(home: Path) -> None:
    plan = planned({"model": STATE, "optimizer": OPTIMIZER, "epoch": 3}, home, Wish())
    (step,) = plan.steps
    assert (plan.worst_proof, step.recovery) == ("slimmed", "none")
    lost = "optimizer (the state of an optimizer, 1 tensors of 16 bytes)"
    assert step.proof.startswith(f"slimmed: left out were {lost}; the rest is equal in {home / 'm.safetensors'}, ")


def test_parts_that_were_not_chosen_are_named(home: Path) -> None:
    nest = {"a": {"w": torch.ones(1)}, "b": {"v": torch.ones(2)}}
    plan = planned(
        {"model": STATE, "ema": {"w": torch.ones(3)}, "nest": nest, "optimizer": OPTIMIZER, "epoch": 3},
        home,
        Wish(part="nest.a"),
    )
    words = plan.steps[0].proof.partition("; the rest")[0]
    assert words == "slimmed: left out were " + ", ".join((
        "model (another part, 1 tensors of 24 bytes)",
        "ema (another part, 1 tensors of 12 bytes)",
        "optimizer (the state of an optimizer, 1 tensors of 16 bytes)",
        "nest.b (another part, 1 tensors of 8 bytes)",
    ))  # fmt: skip


def test_many_things_that_were_left_out_are_counted(home: Path) -> None:
    plan = planned({"w": torch.ones(1), **{f"odd{at}": {"x": object} for at in range(7)}}, home, Wish())
    assert " and " in plan.steps[0].proof
    assert plan.steps[0].proof.count("odd") == converting.TOLD


def test_an_original_that_was_rounded_does_not_come_back(home: Path) -> None:
    plan = planned(STATE, home, Wish(dtype="BF16"))
    (step,) = plan.steps
    assert (plan.worst_proof, step.recovery) == ("unproven", "none")
    assert step.proof.startswith("unproven: within ")
    assert step.proof.endswith(": it does not come back")


@pytest.mark.filterwarnings("ignore")
def test_the_program_of_torchscript_is_not_in_the_copy(home: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), home / "s.pt")
    assert "code" in [each.name for each in converted(home / "s.pt").left_out]


def test_an_original_with_settings_among_its_tensors_is_no_duplicate(home: Path) -> None:
    """They are not in the copy; only what stands beside the tensors is kept as text."""
    for number, saved in enumerate((
        {"model": {**STATE, "settings": {"labels": ["a", "b"]}}, "epoch": 3},
        {**STATE, "more": {"w": torch.ones(1), "labels": "a", "b": 2}},
    )):  # fmt: skip
        folder = home / str(number)
        folder.mkdir()
        (step,) = planned(saved, folder, Wish()).steps
        assert step.proof.startswith("slimmed: left out were values (2 numbers and texts among the tensors)")
    (step,) = planned({"model": STATE, "epoch": 3, "labels": ["a", "b"]}, home, Wish()).steps
    assert step.recovery == "duplicate"


def test_a_pickle_with_settings_among_its_arrays_is_no_duplicate(home: Path) -> None:
    rows = numpy.arange(6.0)
    for name, saved, word in (("deep", {"w": rows, "settings": {"a": 1, "b": "x"}}, "slimmed: left out were values ("),
                              ("plain", {"w": rows, "more": [rows + 1], "epoch": 3}, "duplicate: ")):  # fmt: skip
        path = home / f"{name}.pkl"
        path.write_bytes(pickle.dumps(saved))
        notebook = Notebook()
        converting.replace(converted(path, Wish()), cast(Yard, notebook), home)
        (step,) = notebook.plan.steps
        assert step.proof.startswith(word)

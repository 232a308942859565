"""Differential fuzz: whatever CPython's machines reach in a random program, the analysis has named."""

from __future__ import annotations

import random

import pytest

from safety.differential import compare, programs

ROUNDS = 6000
BATCH = 500


@pytest.mark.parametrize("start", range(0, ROUNDS, BATCH))
def test_everything_that_the_real_machines_reach_is_named(start: int) -> None:
    found = compare(programs(random.Random(start), BATCH))
    assert not found.missed
    assert not found.stuck
    assert found.finished > BATCH / 10
    assert found.share <= 0.02, f"{found.extra} of {found.named} named things are never reached"

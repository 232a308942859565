"""Pickles are read and never run: the values come out, and what would act stays a name."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.formats.pickled_values import Unmade, read_values

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.none()
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.tuples(inner),
    max_leaves=20,
)


class Acting:
    """A thing whose pickle would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@given(VALUES, st.integers(0, 5))
def test_plain_values_come_out_as_python_reads_them(value: object, protocol: int) -> None:
    assert read_values(pickle.dumps(value, protocol)) == value


@given(st.binary(max_size=300))
def test_bytes_come_out_where_the_protocol_has_them(value: bytes) -> None:
    assert read_values(pickle.dumps([value, value], 4)) == [value, value]


@pytest.mark.parametrize("protocol", range(6))
def test_hostile_what_would_run_a_command_is_named_and_not_run(protocol: int, tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    content = pickle.dumps({"epoch": 3, "callbacks": Acting(f"touch {proof}")}, protocol)
    found = read_values(content)
    assert isinstance(found, dict)
    assert found["epoch"] == 3
    made = found["callbacks"]
    assert isinstance(made, Unmade)
    assert made.name == "posix system"
    assert made.arguments == (f"touch {proof}",)
    assert not proof.exists()
    pickle.loads(content)
    assert proof.exists()  # it would have


def test_hostile_every_way_to_call_makes_nothing() -> None:
    calls = (
        b"cos\nsystem\n(S'x'\ntR.",
        b"(S'x'\nios\nsystem\n.",
        b"(cos\nsystem\nS'x'\no.",
        b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xt\x81.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93(\x8c\x01xt}\x92.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",
    )
    for content in calls:
        found = read_values(content)
        assert isinstance(found, Unmade)
        assert (found.name, found.arguments) == ("os system", ("x",))


def test_truncated_at_every_byte_is_an_error() -> None:
    content = pickle.dumps({"epoch": 3, "scores": [0.5, 1.5], "name": ("a", 2**70, b"raw", None)}, 2)
    for end in range(len(content)):
        with pytest.raises(ValueError, match="ends in the middle"):
            read_values(content[:end])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_value_error(content: bytes) -> None:
    try:
        read_values(content)
    except ValueError:
        return


@given(st.lists(st.sampled_from([bytes([code]) for code in range(256)]), max_size=60), st.binary(max_size=20))
def test_any_opcodes_are_a_value_or_a_value_error(codes: list[bytes], rest: bytes) -> None:
    try:
        read_values(b"\x80\x04(]}K\x01" + b"".join(codes) + rest + b".")
    except ValueError:
        return


def test_huge_one_that_never_ends_is_given_up() -> None:
    with pytest.raises(ValueError, match="more than 1,000 opcodes"):
        read_values(b"N0" * 1000 + b"N.", 1000)
    with pytest.raises(ValueError, match="ends in the middle"):
        read_values(b"\x8e" + (2**62).to_bytes(8, "little") + b"x.")


def test_hostile_nesting_and_keys_take_no_time() -> None:
    started = time.process_time()
    deep = read_values(b"(" + b"N\x85" + b"\x85" * 100_000 + b".")
    assert isinstance(deep, tuple)
    del deep
    doubling = b"}" + b")" + b"2\x86" * 200 + b"Ns."  # a key whose hash would look at 2**200 tuples
    assert read_values(doubling) == {}
    assert time.process_time() - started < 5

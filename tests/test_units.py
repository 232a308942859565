"""Bytes, spans and times as people read and type them."""

from __future__ import annotations

import pytest

from modelyard import units


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "0.98 KiB"), (1024, "1.00 KiB"), (10_239, "10.0 KiB"), (102_400, "100 KiB"),
        (1_023_999, "0.98 MiB"), (1 << 20, "1.00 MiB"), (1_500_000_000_000, "1.36 TiB"), (1 << 60, "1024 PiB"),
    ],
)  # fmt: skip
def test_sizes_have_three_digits_and_binary_units(count: int, text: str) -> None:
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [("750", 750), ("1GB", 10**9), ("1.5gb", 1_500_000_000), ("2GiB", 2 << 30), ("2G", 2 << 30), (" 10 k ", 10_240)],
)
def test_sizes_people_type(text: str, count: int) -> None:
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "1XB", "-1GB", "1 2", "1GiBs"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        units.parse_size(text)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("12h", 43_200), ("30d", 2_592_000), ("1y", 31_536_000)])
def test_spans_people_type(text: str, seconds: int) -> None:
    assert units.parse_span(text) == seconds * 10**9


@pytest.mark.parametrize("text", ["", "30", "d", "1.5d", "-1d", "1month"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span"):
        units.parse_span(text)


def test_times_are_rfc_3339_in_utc() -> None:
    assert units.rfc3339(0) == "1970-01-01T00:00:00Z"
    assert units.rfc3339(-(10**30)) == "0001-01-01T00:00:00Z"
    assert units.rfc3339(10**30) == "9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    ("days", "text"),
    [(0, "today"), (1, "1 day"), (29, "29 days"), (30, "1 month"), (364, "12 months"), (800, "2 years")],
)
def test_how_long_ago(days: int, text: str) -> None:
    assert units.ago(0, days * 86_400 * 10**9) == text

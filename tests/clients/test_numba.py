"""Numba's compiled functions."""

from __future__ import annotations

from clients.client import Client, runs
from clients.looking import look

pytestmark = runs("with_numba", "numba")
SOURCE = "import numba\n\n\n@numba.njit(cache=True)\ndef double(number):\n    return number * 2\n"


def test_what_was_compiled_lies_where_the_variable_says(fresh: Client) -> None:
    work, place = fresh.home / "work", fresh.home / "compiled"
    work.mkdir()
    (work / "mine.py").write_text(SOURCE)
    told = fresh.told(NUMBA_CACHE_DIR=place)
    assert told.call("compiled", work) == 42
    seen = look(fresh.home, "numba", NUMBA_CACHE_DIR=place)
    assert {(each.kind, each.recovery) for each in seen.artifacts.values()} == {("compile cache", "re-make")}
    assert seen.roots[str(place)] == "NUMBA_CACHE_DIR"
    assert not seen.unclaimed
    before = sorted(path.name for path in place.rglob("*"))
    assert told.call("compiled", work) == 42
    assert sorted(path.name for path in place.rglob("*")) == before


def test_what_was_compiled_lies_beside_its_module_without_the_variable(fresh: Client) -> None:
    work = fresh.home / "work"
    work.mkdir()
    (work / "mine.py").write_text(SOURCE)
    assert fresh.call("compiled", work) == 42
    seen = look(fresh.home, "numba")
    ((name, each),) = seen.artifacts.items()
    assert (each.kind, each.state, each.recovery) == ("compile cache", "complete", "re-make")
    assert {path.suffix for path in seen.files(name)} == {".nbi", ".nbc"}
    (work / "mine.py").unlink()
    assert {each.state for each in look(fresh.home, "numba").artifacts.values()} == {"orphan"}

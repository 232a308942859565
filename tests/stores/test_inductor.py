"""The cache of torch.compile."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import inductor


def make(home: Path) -> None:
    """A compiled graph where a variable puts it."""
    makers.write(home / "graphs" / "fxgraph" / "ab" / "graph", b"g" * 4000)


def variables(home: Path) -> dict[str, str]:
    """Where the layout lies: by default it is among temporary files, outside any home."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(home / "graphs")}


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(inductor, home, USER="ada") == [("/tmp/torchinductor_ada", "default")]
    assert makers.places(inductor, home, "macos", TMPDIR="/v", USER="ada") == [("/v/torchinductor_ada", "default")]
    assert makers.places(inductor, home, LOGNAME="a/b:c") == [("/tmp/torchinductor_a_b_c", "default")]
    assert makers.places(inductor, home, TORCHINDUCTOR_CACHE_DIR="/i") == [("/i", "TORCHINDUCTOR_CACHE_DIR")]


def test_the_cache_is_one_artifact(home: Path) -> None:
    make(home)
    found = makers.artifacts(home, **variables(home))
    assert {name: each.recovery for name, each in found.items()} == {"inductor:cache": "re-make"}

"""JAX's compilation cache."""

from __future__ import annotations

from clients.client import Client, runs
from clients.looking import look

pytestmark = runs("with_jax", "jax")


def test_a_cache_without_and_one_with_a_limit_are_both_recognised(fresh: Client) -> None:
    plain, limited = fresh.home / "work" / "plain", fresh.home / "work" / "limited"
    assert fresh.told(JAX_COMPILATION_CACHE_DIR=plain).call("compiled") == 140.0
    assert fresh.told(JAX_COMPILATION_CACHE_DIR=limited).call("compiled", 100_000_000) == 140.0
    assert not list(plain.glob("*-atime"))
    seen = look(fresh.home, "jax", JAX_COMPILATION_CACHE_DIR=plain)
    assert seen.roots == {str(plain): "JAX_COMPILATION_CACHE_DIR", str(limited): "recognised by *-atime"}
    assert set(look(fresh.home, "jax").roots) == {str(plain), str(limited)}
    assert set(seen.states.values()) == {("compile cache", "complete", "re-make")}
    used = {each.root: each.last_used for each in seen.artifacts.values()}
    noted = used[str(limited)]
    assert noted is not None
    assert noted.evidence == "JAX noted its use"
    assert noted.at == max(path.stat().st_mtime_ns for path in limited.glob("*-atime"))


def test_after_a_look_the_programs_are_taken_from_the_cache(fresh: Client) -> None:
    told = fresh.told(JAX_COMPILATION_CACHE_DIR=fresh.home / "programs")
    told.call("compiled")
    look(fresh.home, "jax")
    before = sorted(path.name for path in (fresh.home / "programs").iterdir())
    assert told.call("compiled") == 140.0
    assert sorted(path.name for path in (fresh.home / "programs").iterdir()) == before

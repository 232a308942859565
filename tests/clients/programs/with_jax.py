"""Compiles with JAX."""

from importlib import import_module


def compiled(limit: str = "") -> float:
    """A function that is compiled and kept, in a cache of limited size if told so."""
    jax = import_module("jax")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    if limit:
        jax.config.update("jax_compilation_cache_max_size", int(limit))
    return float(jax.jit(lambda x: (x * x).sum())(jax.numpy.arange(8.0)))

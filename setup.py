"""Builds what is written in C: the walker, the machine for plain pickles, rounding; the rest is in pyproject.toml."""

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, ExecError, PlatformError

NEEDS_COMPILER = """
modelyard's disk walker, scanner and rounding have parts in C that could not be compiled here ({why}).
Install a C compiler and the Python headers, then try again:
  Debian, Ubuntu   apt-get install gcc python3-dev
  Fedora, RHEL     dnf install gcc python3-devel
  Arch             pacman -S gcc
  macOS            xcode-select --install
"""


class BuildExtensions(build_ext):
    """Says what to install where they cannot be compiled."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except (CCompilerError, ExecError, PlatformError, FileNotFoundError) as why:
            raise BaseError(NEEDS_COMPILER.format(why=why)) from why


def extension(name: str, folder: str, files: tuple[str, ...], *headers: str) -> Extension:
    """A module of the limited API, so that one wheel serves every Python from 3.11 on."""
    return Extension(
        name,
        [f"{folder}/{file}.c" for file in files],
        depends=[f"{folder}/{header}" for header in headers],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread"],
        extra_link_args=["-pthread"],
        py_limited_api=True,
    )


WALKER = ("module", "walker", "tree", "measure", "search", "same", "many", "medium", "cast")
PLAIN = ("module", "machine", "holding", "acting", "arrays")
setup(
    ext_modules=[
        extension("modelyard.walk._walker", "src/modelyard/walk/native", WALKER, "tree.h"),
        extension("modelyard.safety._plain", "src/modelyard/safety/native", PLAIN, "plain.h"),
        extension("modelyard.convert._rounding", "src/modelyard/convert/native", ("rounding",)),
    ],
    cmdclass={"build_ext": BuildExtensions},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

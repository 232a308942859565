"""Builds the C walker; everything else stands in pyproject.toml."""

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, ExecError, PlatformError

NEEDS_COMPILER = """
modelyard's disk walker is written in C and could not be compiled here ({why}).
Install a C compiler and the Python headers, then try again:
  Debian, Ubuntu   apt-get install gcc python3-dev
  Fedora, RHEL     dnf install gcc python3-devel
  Arch             pacman -S gcc
  macOS            xcode-select --install
"""


class BuildWalker(build_ext):
    """Says what to install where the walker cannot be compiled."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except (CCompilerError, ExecError, PlatformError, FileNotFoundError) as why:
            raise BaseError(NEEDS_COMPILER.format(why=why)) from why


FOLDER = "src/modelyard/walk/native"
setup(
    ext_modules=[
        Extension(
            "modelyard.walk._walker",
            [f"{FOLDER}/{name}.c" for name in ("module", "walker", "tree", "measure", "search", "same", "cast")],
            depends=[f"{FOLDER}/tree.h"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread"],
            extra_link_args=["-pthread"],
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildWalker},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

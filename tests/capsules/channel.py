"""Builds a conda channel with a Python that runs, and installs from it; run in a process of its own.

`python channel.py build CHANNEL PYTHON`, `python channel.py install CHANNEL PREFIX SPEC…`,
`python channel.py create --yes --quiet --prefix PREFIX --file LIST`, which stands for `conda create`.
"""

import asyncio
import hashlib
import os
import sys
from importlib import import_module  # by name: neither package has types that are checked
from pathlib import Path

PYTHON = """
package: {{name: python, version: "{version}"}}
build:
  number: 7
  dynamic_linking: {{binary_relocation: false}}
  script:
    - mkdir -p $PREFIX/lib/python{minor}
    - {base} -m venv --copies $PREFIX/made
    - mv $PREFIX/made/lib/python{minor}/site-packages $PREFIX/lib/python{minor}/site-packages
    - rm -r $PREFIX/made
    - mkdir -p $PREFIX/bin
    - ln -s {base} $PREFIX/bin/python
    - echo "home = {home}" > $PREFIX/pyvenv.cfg
about: {{license: MIT}}
"""
TOOL = """
package: {{name: {name}, version: "{version}"}}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share/{name} $PREFIX/bin
    - head -c 70000 /dev/urandom > $PREFIX/share/{name}/data
    - echo "$PREFIX" > $PREFIX/bin/{name}
requirements: {{run: [{needs}]}}
about: {{license: MIT}}
"""


def build(channel: Path, base: str) -> None:
    """Makes a Python, and a tool in two versions that needs a library."""
    version = ".".join(map(str, sys.version_info[:3]))
    minor = ".".join(version.split(".")[:2])
    _built(channel, "python", PYTHON.format(version=version, minor=minor, base=base, home=os.path.dirname(base)))
    for name, number, needs in (("codec", "1.0", ""), ("trainer", "1.0", "codec"), ("trainer", "2.0", "codec")):
        _built(channel, f"{name}-{number}", TOOL.format(name=name, version=number, needs=needs))


def _built(channel: Path, name: str, recipe: str) -> None:
    place = channel.parent / name / "recipe.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(recipe)
    known = [channel.as_uri()] if channel.exists() else []
    options = {"output_dir": channel, "channel": known, "package_format": "conda", "test": "skip"}
    import_module("rattler_build").build_recipes([place], **options)


async def install(channel: Path, prefix: Path, specs: list[str]) -> None:
    """Solves and installs one environment."""
    rattler = import_module("rattler")
    records = await rattler.solve([rattler.Channel(channel.as_uri())], specs, platforms=["noarch", "linux-64"])
    await rattler.install(records, target_prefix=prefix, show_progress=False)


async def create(prefix: Path, file: Path) -> None:
    """Installs an explicit list as conda does: each archive held against the MD5 behind its address."""
    rattler = import_module("rattler")
    lines = file.read_text().splitlines()
    assert "@EXPLICIT" in lines
    records = []
    for line in lines[lines.index("@EXPLICIT") + 1 :]:
        url, _, md5 = line.partition("#")
        archive = Path(url.removeprefix("file://"))
        assert hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest() == md5, url
        records.append(await rattler.RepoDataRecord.from_package_archive(archive))
    await rattler.install(records, target_prefix=prefix, show_progress=False)


def main(verb: str, *words: str) -> None:
    """Does what was asked."""
    if verb == "build":
        build(Path(words[0]), words[1])
    elif verb == "install":
        asyncio.run(install(Path(words[0]), Path(words[1]), list(words[2:])))
    else:
        options = dict(zip(words[2::2], words[3::2], strict=True))
        assert words[:2] == ("--yes", "--quiet"), words
        asyncio.run(create(Path(options["--prefix"]), Path(options["--file"])))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # rattler's own threads now and then crash an interpreter that is taken down in order

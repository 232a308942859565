"""Builds a conda channel and installs environments from it; run in a process of its own by the conda tests."""

import asyncio
import hashlib
import os
import sys
from importlib import import_module  # by name: neither package has types that are checked
from pathlib import Path

RECIPE = """
package: {{name: {name}, version: "{version}"}}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share/{name} $PREFIX/bin
    - head -c {size} /dev/urandom > $PREFIX/share/{name}/data
    - echo "$PREFIX" > $PREFIX/bin/{name}
requirements: {{run: [{needs}]}}
about: {{license: MIT}}
"""
PACKAGES = (("codec", "1.0", "", 700_000), ("trainer", "1.0", "codec", 500_000), ("trainer", "2.0", "codec", 600_000))


def build(channel: Path) -> None:
    """Makes three packages; the files below `bin` name the prefix and so become private on installation."""
    for name, version, needs, size in PACKAGES:
        recipe = channel.parent / f"{name}-{version}" / "recipe.yaml"
        recipe.parent.mkdir(parents=True)
        recipe.write_text(RECIPE.format(name=name, version=version, needs=needs, size=size))
        known = [channel.as_uri()] if channel.exists() else []
        builder = import_module("rattler_build")
        builder.build_recipes([recipe], output_dir=channel, channel=known, package_format="conda", test="skip")


async def install(channel: Path, packages: Path, prefix: Path, spec: str) -> None:
    """Solves and installs one environment, hard links into the packages folder."""
    rattler = import_module("rattler")
    records = await rattler.solve([rattler.Channel(channel.as_uri())], [spec], platforms=["noarch", "linux-64"])
    await rattler.install(records, target_prefix=prefix, cache_dir=packages, show_progress=False)


def doctor(prefix: Path) -> None:
    """Prints the files of an environment that are missing or are not what its records say."""
    for note in sorted((prefix / "conda-meta").glob("*.json")):
        record = import_module("rattler").PrefixRecord.from_path(note)
        for each in record.paths_data.paths:
            file, wanted = prefix / each.relative_path, each.sha256_in_prefix or each.sha256
            if not os.path.lexists(file):
                print(f"missing: {file}")
            elif wanted and hashlib.sha256(file.read_bytes()).digest() != bytes(wanted):
                print(f"altered: {file}")


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(Path(sys.argv[2]))
    elif sys.argv[1] == "doctor":
        for place in sys.argv[2:]:
            doctor(Path(place))
        sys.stdout.flush()
    else:
        for wanted in sys.argv[4:]:
            place, _, wish = wanted.partition("=")
            asyncio.run(install(Path(sys.argv[2]), Path(sys.argv[3]), Path(place), wish))
    os._exit(0)  # rattler's own threads now and then crash an interpreter that is taken down in order

"""The sample's conda installation, 100 environments over shared packages by hard links, and a pip cache."""

from __future__ import annotations

import os
from pathlib import Path

from modelyard.demo.writer import GIB, MIB, Writer

BIG = (
    ("cudatoolkit-12.4.1-h5d8d6ff_0", 2.9),
    ("cudnn-9.3.0-h1a2b3c4_0", 1.4),
    ("pytorch-2.4.1-py311_cuda12.4_0", 1.8),
    ("mkl-2024.2.2-ha957f24_16", 0.7),
)
FILES_A_PACKAGE = 48
FILES_A_FOLDER = 12


def conda(w: Writer) -> None:
    """An installation with 64 packages and 100 environments; what pip added to each is its own."""
    root = w.home / "miniconda3"
    names = [f"package{number:02d}-{number % 7 + 1}.{number % 10}.0-py311_0" for number in range(60)]
    written = w.age(200, 700)
    for name in names:
        _package(w, root / "pkgs" / name, w.rng.randint(2, 60) * MIB, written)
    for name, gib in BIG:
        _package(w, root / "pkgs" / name, int(gib * GIB), written)
    for number, name in enumerate((*names, *(name for name, _ in BIG))):
        w.file(root / "pkgs" / f"{name}.conda", (number % 9 + 1) * 60 * MIB, written)
    w.text(root / "pkgs" / "urls.txt", "", written)
    w.text(root / "conda-meta" / "history", "==> 2024-01-01 00:00:00 <==\n", written)
    w.file(root / "bin" / "python3.11", 28 * MIB, written)
    w.text(root / "condabin" / "conda", "#!/bin/sh\n", written)
    for number in range(w.count(100)):
        chosen = w.rng.sample(names, 22) + [name for name, _ in BIG if w.rng.random() < 0.6]
        _environment(w, root / "pkgs", root / "envs" / f"project-{number:03d}", chosen)


def _package(w: Writer, folder: Path, size: int, written: int) -> None:
    for number in range(FILES_A_PACKAGE):
        name = f"part_{number // FILES_A_FOLDER:02d}/module_{number:03d}.py"
        w.file(folder / "site-packages" / folder.name.partition("-")[0] / name, w.rng.randint(100, 9_000), written)
    w.file(folder / "lib" / f"lib{folder.name.partition('-')[0]}.so", size, written)
    w.text(folder / "info" / "repodata_record.json", "{}", written)


def _environment(w: Writer, packages: Path, env: Path, chosen: list[str]) -> None:
    written = w.age(1, 500)
    for name in chosen:
        short = name.partition("-")[0]
        _link(packages / name / "site-packages" / short, env / "lib" / "python3.11" / "site-packages" / short)
        (env / "lib").mkdir(parents=True, exist_ok=True)
        os.link(packages / name / "lib" / f"lib{short}.so", env / "lib" / f"lib{short}.so")
        w.text(env / "conda-meta" / f"{name}.json", "{}", written)
    w.text(env / "conda-meta" / "history", "==> 2025-01-01 00:00:00 <==\n", written)
    w.file(env / "bin" / "python3.11", 28 * MIB, written)
    own = env / "lib" / "python3.11" / "site-packages"
    w.file(own / "pip_torch" / "lib" / "libtorch_cuda.so", w.rng.randint(1600, 2700) * MIB, written, w.age(0, 500))
    w.text(own / "pip_torch-2.4.1.dist-info" / "INSTALLER", "pip\n", written)


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for folder in sorted(source.iterdir()):
        (target / folder.name).mkdir()
        for file in sorted(folder.iterdir()):
            os.link(file, target / folder.name / file.name)


def pip(w: Writer) -> None:
    """Downloads under hashes of their addresses, those of an old pip, half a download, and wheels built here."""
    root = w.home / ".cache" / "pip"
    for _ in range(w.count(40)):
        name, written = w.hex(56), w.age(5, 400)
        folder = root / "http-v2" / Path(*name[:5])
        w.file(folder / name, 1200, written)
        w.file(folder / f"{name}.body", w.rng.randint(20, 600) * MIB, written)
    for _ in range(w.count(12)):
        name = w.hex(56)
        w.file(root / "http" / Path(*name[:5]) / name, w.rng.randint(20, 500) * MIB, w.age(500, 900))
    lost = w.hex(56)
    w.file(root / "http-v2" / Path(*lost[:5]) / f"{lost}.body", 300 * MIB, w.age(5, 400))
    wheel = root / "wheels" / "a1" / "b2" / "c3" / w.hex(58)
    w.file(wheel / "flash_attention_build-2.6.3-cp311-cp311-linux_x86_64.whl", 190 * MIB, w.age(30, 90))
    w.text(wheel / "origin.json", "{}", w.age(30, 90))
    w.text(root / "selfcheck" / w.hex(56), "{}", w.age(1, 5))

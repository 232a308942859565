"""Makes a small spaCy pipeline, writes it to disk, and packs it as a package."""

from importlib import import_module
from pathlib import Path

spacy = import_module("spacy")


def written(folder: str) -> str:
    """A pipeline that splits sentences, where the program says."""
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    Path(folder).parent.mkdir(parents=True, exist_ok=True)
    pipeline.to_disk(folder)
    return str(pipeline.meta["lang"])


def packed(folder: str, out: str) -> str:
    """The pipeline in that folder as a wheel, as `spacy package` makes it."""
    import_module("spacy.cli.package").package(
        Path(folder), Path(out), name="tiny", version="1.0.0", create_sdist=False, create_wheel=True, force=True
    )
    return str(next(Path(out).rglob("*.whl")))


def sentences(name: str) -> int:
    """How many sentences a pipeline finds, by its folder or by the name of its package."""
    return len(list(spacy.load(name)("One. Two.").sents))

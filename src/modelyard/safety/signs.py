"""What tells a file before it is read to its end: first bytes, a checksum, or the end of its name."""

from __future__ import annotations

from os.path import splitext

from modelyard.formats.hdf5_objects import MAGIC
from modelyard.formats.zips import LOCAL

NUMPY = b"\x93NUMPY"
NATIVE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf")
ENGINES = (b"ftrt", b"ptrt")
VERSION = b"\x08"
"""The first byte of a SavedModel and of an ONNX file: a version is the first field of both."""
NOT_OPENED = (
    (b"\x04\x22\x4d\x18", "broken LZ4"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
)
PACKED = (
    b"ZF0x", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0",
    b"\x04\x22\x4d\x18", b"\x5d\0\0",
)  # fmt: skip
"""How files begin that are unpacked (reading.py)."""
CONTAINERS = (*NATIVE, *ENGINES, VERSION, b"#!", b"GGUF", LOCAL, NUMPY, *PACKED, *(magic for magic, _ in NOT_OPENED))
"""How whatever is told by its content begins, but for HDF5, safetensors, tar archives and pickles."""

PICKLED = (".pkl", ".pickle", ".pk", ".pt", ".pth", ".ckpt", ".joblib", ".jbl", ".dill", ".cpickle", ".mar")
"""Names that promise a pickle: what is broken there is unknown."""
OFTEN = (".bin", ".dat", ".data", ".sav", ".model", ".p", ".weights", ".t7", ".th", ".tar", ".npy")
"""Names that may: what breaks off in the middle is unknown, what does not begin like one is another kind of file."""
PROMISED = {"ONNX": (".onnx",), "GGUF": (".gguf",), "safetensors": (".safetensors",), "HDF5": (".h5", ".hdf5"),
            "Keras": (".keras",), "skops": (".skops",), "npz": (".npz",), "pt2": (".pt2",)}  # fmt: skip
"""Names for which one loader alone is asked: what it cannot read here it may read elsewhere."""
ONE_LOADER = {suffix for promised in PROMISED.values() for suffix in promised}
GRAPHS = (".pb", ".meta", ".pbtxt", ".graphdef")
SCRIPTS = (".sh", ".bat", ".cmd", ".ps1", ".bash", ".vbs")
SETTINGS = (".json", ".yaml", ".yml", ".jinja", ".env", ".toml", ".cfg", ".ini")
ENVIRONMENT = ".env"
WHOLE = (".json", ".jinja")
TAR_PARTS = ("storages", "tensors", "pickle")
"""The members of torch's files of before 0.1.10."""
TOLD_BY_NAME = {*SETTINGS, *SCRIPTS, *GRAPHS, *ONE_LOADER}
LONGEST_SETTINGS = 8 << 20
"""Bytes of settings that are read."""
MLFLOW = "mlmodel"
"""The name of the settings of a model of MLflow, in small letters."""

KERAS_MEMBERS = {"metadata.json", "model.weights.h5", "model.weights.npz"}
PROGRAMS = ("serialized_exported_program.json",)
"""Members of what torch.export wrote before it had a folder for them."""


def suffix_of(name: str) -> str:
    """The suffix by which a file is told, in small letters; `.env.local` is one of `.env`, where secrets are kept."""
    name = name.lower()
    return ENVIRONMENT if name.startswith(ENVIRONMENT) else splitext(name)[1]


def telling(name: str) -> str:
    """What of a name decides how a file is read: its suffix, or all of it where libraries ask for the whole name."""
    name = name.lower()
    suffix = suffix_of(name)
    return name if suffix in WHOLE or name in TAR_PARTS or name == MLFLOW else suffix


def is_keras(names: tuple[str, ...]) -> bool:
    """Whether an archive with these members is a Keras model."""
    return "config.json" in names and bool(KERAS_MEMBERS & set(names))


def is_exported(names: tuple[str, ...]) -> bool:
    """Whether an archive with these members is an exported program."""
    return any(name.rpartition("/")[2] in ("archive_format", *PROGRAMS) for name in names)


def is_gguf(head: bytes) -> bool:
    """Whether a file begins like GGUF."""
    return head.startswith(b"GGUF")


def is_hdf5(head: bytes) -> bool:
    """Whether a file begins like HDF5."""
    return head.startswith(MAGIC)


BLOCK = 512
"""Bytes of the headers and the padding of tar archives."""
OCTAL = {b"%c" % each for each in b"01234567 \t\n\r\x0b\x0c\0+-"} | {b""}
"""How a number of theirs may begin."""


def is_tar(head: bytes) -> bool:
    """Whether a file begins like a tar archive: by its magic, or by a header whose checksum is right."""
    return head[257:262] == b"ustar" or (len(head) >= BLOCK and head[0] != 0 and sum_is_right(head[:BLOCK]))


def sum_is_right(header: bytes) -> bool:
    """Whether the checksum in a header of a tar archive is that of the header."""
    told = tar_number(header[148:156])
    if told is None:
        return False
    rest = header[:148] + header[156:BLOCK]
    times, other = divmod(sum(rest) + 8 * 32 - told, 256)
    return not other and (not times or times == sum(each > 127 for each in rest))  # some count them signed


def tar_number(field: bytes) -> int | None:
    """A number in octal, or in binary where the first bit is set; None for anything else."""
    if field[:1] >= b"\x80":
        return int.from_bytes(field[1:], "big")
    if field[:1] not in OCTAL:
        return None
    try:
        return int(field.split(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        return None

"""What must be told to each tool when a folder of it gets another place: the sixth thing to know of every store.

The owner's own setting comes first, then a link in the old place where the tool is known to follow it. What can have
neither is not moved, and the reason says what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

OPENS = "it opens what lies there by path, which a link in the old place leads through"
CACHE = "it makes its cache again when it finds none, and finds this one behind a link in the old place"
SCATTERED = "its things lie among files of other programs"
ONE = "name one of them: `modelyard ls {store}` lists them"


class Telling(Struct, frozen=True):
    """What a tool has to be told. `link` says why it finds its folder behind a link, empty where it does not.

    `variables` name exactly the folder that moves, but for the last folders of it where they are of `below`.
    `setting` is the settings file that names it, as the module of settings knows it. `part` is the folder of its root
    that moves, where the root holds other things, but for roots that are found by one of `itself`: those are the part.
    `stays` is why the old path has to lead somewhere although a setting names the new one. `piece` says why it finds a
    single artifact behind a link. `alone`: its root holds nothing else, wherever it is found. `restart` is what a
    person does so that a running program takes the new place. `never` is why it cannot be moved at all, and `instead`
    what to do. `engine`: a service that must not run owns it, and it holds devices and files of users of containers,
    which root alone can copy, and links that are right where they are. `apart` are the roots that are not moved, by
    how they were found: why, and what to do.
    """

    link: str = ""
    variables: tuple[str, ...] = ()
    below: Mapping[str, str] | None = None
    setting: str = ""
    part: str = ""
    itself: tuple[str, ...] = ()
    alone: bool = False
    stays: str = ""
    piece: str = ""
    restart: str = ""
    never: str = ""
    instead: str = ""
    engine: bool = False
    apart: Mapping[str, tuple[str, str]] = field(default_factory=dict)


ENVIRONMENT = Telling(
    never="an environment holds its own path in its scripts and settings, so that it breaks anywhere else",
    instead="`modelyard env freeze` it and `modelyard env restore` it at the new place",
)
FILES = "programs for images look through their models folder with its links followed"
HELD = "whoever opens it by its path finds it behind the link"


def _cache(*variables: str, **below: str) -> Telling:
    return Telling(CACHE, variables, below or None)


TELLINGS: Mapping[str, Telling] = {
    "hf": Telling(
        "huggingface_hub opens the cache by path, and the links inside it are relative", ("HF_HUB_CACHE",),
    ),
    "hf-datasets": _cache("HF_DATASETS_CACHE"),
    "hf-assets": _cache("HF_ASSETS_CACHE"),
    "hf-modules": _cache("HF_MODULES_CACHE"),
    "hf-xet": _cache("HF_XET_CACHE"),
    "hf-local": Telling(never=SCATTERED, instead=ONE, piece=HELD),
    "transformers-legacy": Telling(OPENS),
    "sentence-transformers": Telling(OPENS),
    "ollama": Telling(
        "the server opens its models by path, and its manifests name blobs by digest alone", ("OLLAMA_MODELS",),
        setting="ollama", restart="stop the Ollama server before, and start it again afterwards",
    ),
    "lmstudio": Telling(
        "LM Studio resolves the links above its models", setting="lmstudio", part="models", itself=("downloadsFolder",),
        piece="LM Studio itself imports models as links", restart="quit LM Studio before",
    ),
    "llamacpp": _cache("LLAMA_CACHE"),
    "gpt4all": Telling(OPENS, setting="gpt4all", restart="quit GPT4All before"),
    "jan": Telling(OPENS, setting="jan", restart="quit Jan before"),
    "textgen": Telling(OPENS, part="models", piece=FILES),
    "koboldcpp": Telling(never=SCATTERED, instead=ONE, piece=HELD),
    "mlx": Telling(OPENS),
    "docker-models": Telling(OPENS, ("MODELS_PATH",)),
    "ramalama": Telling(OPENS, ("RAMALAMA_STORE",)),
    "automatic1111": Telling(FILES, part="models", piece=FILES),
    "forge": Telling(FILES, part="models", piece=FILES),
    "comfyui": Telling(
        FILES, setting="comfyui", part="models", piece=FILES,
        stays="nodes put new models into the folder beside the program",
    ),
    "fooocus": Telling(FILES, part="models", piece=FILES),
    "invokeai": Telling(
        OPENS, setting="invokeai", part="models", itself=("models_dir",), restart="stop InvokeAI before"
    ),
    "stabilitymatrix": Telling(
        FILES, setting="stabilitymatrix", part="Models", itself=("ModelDirectoryOverride",), piece=FILES
    ),
    "diffusionbee": Telling(OPENS, restart="quit DiffusionBee before"),
    "torchhub": Telling(OPENS, ("TORCH_HOME",), {"TORCH_HOME": "hub"}, piece=OPENS),
    "keras": Telling(OPENS, ("KERAS_HOME",)),
    "tfhub": _cache("TFHUB_CACHE_DIR"),
    "tfds": Telling(OPENS, ("TFDS_DATA_DIR",)),
    "whisper": Telling(OPENS),
    "modelscope": Telling(OPENS, ("MODELSCOPE_CACHE",)),
    "kagglehub": Telling(OPENS, ("KAGGLEHUB_CACHE",)),
    "nltk": Telling(OPENS, ("NLTK_DATA",)),
    "paddlehub": Telling(OPENS, ("HUB_HOME",)),
    "fastai": Telling(OPENS),
    "gdown": Telling(OPENS),
    "spacy": Telling(
        never="a pipeline is a package of an environment", instead="`spacy download` it in the other environment",
    ),
    "torch-extensions": Telling(
        "what was built holds its old path, which a link keeps valid", ("TORCH_EXTENSIONS_DIR",),
    ),
    "vllm": Telling("its entries hold their old paths, which a link keeps valid"),
    "flashinfer": Telling(CACHE),
    "jax": Telling(CACHE, ("JAX_COMPILATION_CACHE_DIR",)),
    "nvidia": Telling(CACHE),
    "cupy": _cache("CUPY_CACHE_DIR"),
    "numba": _cache("NUMBA_CACHE_DIR"),
    "miopen": Telling(CACHE),
    "comgr": _cache("AMD_COMGR_CACHE_DIR"),
    "intel-neo": _cache("NEO_CACHE_DIR"),
    "cuda-python": Telling(CACHE),
    "triton": Telling(
        never="its entries hold their absolute paths, so that none of them is found anywhere else",
        instead="`modelyard clean triton`, then set TRITON_CACHE_DIR to the new place: it is made again",
    ),
    "inductor": Telling(
        never="its entries hold the absolute paths of what they load",
        instead="`modelyard clean inductor`, then set TORCHINDUCTOR_CACHE_DIR to the new place: it is made again",
    ),
    "pip": Telling(CACHE, ("PIP_CACHE_DIR",), setting="pip"),
    "uv": Telling(CACHE, ("UV_CACHE_DIR",), setting="uv"),
    "poetry": Telling(CACHE, ("POETRY_CACHE_DIR",), setting="poetry"),
    "pipenv": _cache("PIPENV_CACHE_DIR"),
    "rattler": _cache("RATTLER_CACHE_DIR"),
    "virtualenv": _cache("VIRTUALENV_OVERRIDE_APP_DATA"),
    "conda": Telling(
        CACHE, ("CONDA_PKGS_DIRS",), setting="conda", part="pkgs", itself=("pkgs_dirs", "CONDA_PKGS_DIRS")
    ),
    "venv": ENVIRONMENT,
    "pyenv": Telling(
        never="the Pythons in it hold their own paths", instead="`pyenv install` them below the new PYENV_ROOT",
    ),
    "docker": Telling(
        setting="docker", alone=True, engine=True,
        restart="stop its engine (`sudo systemctl stop docker docker.socket`, one without root by `systemctl --user "
        "stop docker`), then the same command",
        apart={
            "the disk image": (
                "the disk of a virtual machine is Docker Desktop's own",
                "Docker Desktop moves it: Settings, Resources, Advanced, `Disk image location`",
            )
        },
    ),
    "podman": Telling(
        never="its database holds the paths of all layers, and its files belong to users of its containers",
        instead="`podman save` the images, set `graphroot` in storage.conf to the new place, `podman load` them there",
    ),
    "wandb": Telling(OPENS),
    "mlflow": Telling(
        never=SCATTERED, instead=ONE, piece="its notes hold absolute addresses, which a link keeps valid",
    ),
    "dvc": Telling("links of the workspace lead into the cache", setting="dvc", part="cache"),
    "lightning": Telling(never=SCATTERED, instead=ONE, piece=HELD),
    "tensorboard": Telling(never=SCATTERED, instead=ONE, piece=HELD),
    "checkpoint": Telling(
        never=SCATTERED, instead="name one checkpoint, or the folder of a run",
        piece="what loads a checkpoint opens it by its path, and finds it behind the link",
    ),
    "registry": Telling("whoever gives its folder by path finds it behind the link", alone=True),
    "archived": Telling(
        never="a stub lies where the thing was that it stands for", instead="`modelyard recall` it, and move it then",
    ),
    "trash": Telling(never="it lies on the disk whose things it holds", instead="`modelyard purge` frees it"),
    "loose": Telling(never=SCATTERED, instead=ONE, piece="no tool owns it: whoever opens it by its path finds it"),
}  # fmt: skip
UNKNOWN = Telling(
    never="the package that knows this store does not say what its tool has to be told",
    instead="move it as its own documentation says",
)


def telling(store: str) -> Telling:
    """What the tool of a store has to be told."""
    return TELLINGS.get(store, UNKNOWN)

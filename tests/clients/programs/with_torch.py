"""Works with PyTorch: weights and code from its hub, and what it compiles."""

from importlib import import_module
from pathlib import Path

torch = import_module("torch")


def weights(url: str) -> str:
    """Downloads a state dict, or takes it from the cache, and says what is in it."""
    return ",".join(torch.hub.load_state_dict_from_url(url, progress=False))


def moved(folder: str, url: str) -> str:
    """The same with the hub in a folder that the program itself names."""
    torch.hub.set_dir(folder)
    return weights(url)


def repository(name: str, server: str) -> str:
    """Runs the entry point of a repository of code, which comes as the archive that a server gives."""
    hub = vars(import_module("torch.hub"))
    hub["_git_archive_link"] = lambda owner, repo, ref: f"{server}/{owner}/{repo}/{ref}.zip"
    hub["_validate_not_a_forked_repo"] = lambda *_: None  # asks the real host
    return str(torch.hub.load(name, "answer", trust_repo=True, verbose=False))


def compiled() -> float:
    """A function that torch.compile turns into C++."""
    return float(torch.compile(lambda x: (x.sin() + x.cos()).sum())(torch.zeros(100)))


def compile_cache() -> str:
    """Where torch.compile keeps what it compiled."""
    return str(import_module("torch._inductor.runtime.cache_dir_utils").cache_dir())


def extension(name: str, source: str) -> str:
    """Builds a C++ extension where torch keeps them."""
    building = import_module("torch.utils.cpp_extension")
    built = building.load(name, [source], is_python_module=False, with_cuda=False)
    return str(built or Path(building._get_build_directory(name, verbose=False)))


def events(folder: str) -> None:
    """TensorBoard events as a training loop writes them."""
    with import_module("torch.utils.tensorboard").SummaryWriter(folder) as writer:
        for step in range(10):
            writer.add_scalar("loss", 1 / (step + 1), step)

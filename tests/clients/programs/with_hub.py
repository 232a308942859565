"""Makes tiny random models of libraries that sit on the Hugging Face hub, and loads models from there."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

KEPT: list[object] = []
"""What must live as long as the process."""


def make_transformers(folder: str) -> None:
    """A model that transformers can load."""
    library = import_module("transformers")
    config = library.BertConfig(
        vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    library.BertModel(config).save_pretrained(folder)


def make_diffusers(folder: str) -> None:
    """A pipeline of two parts."""
    library = import_module("diffusers")
    model = library.UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(32,),
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    library.DDPMPipeline(model, library.DDPMScheduler(num_train_timesteps=2)).save_pretrained(folder)


def make_sentences(folder: str) -> None:
    """A static embedding, which needs no network to make."""
    library = import_module("sentence_transformers")
    words = {word: number for number, word in enumerate(("[UNK]", "hello", "world"))}
    split = import_module("tokenizers").Tokenizer(
        import_module("tokenizers.models").WordLevel(words, unk_token="[UNK]")
    )
    parts = import_module("sentence_transformers.models")
    library.SentenceTransformer(modules=[parts.StaticEmbedding(split, embedding_dim=16)]).save(folder)


def make_timm(folder: str) -> None:
    """A picture model with the description that timm puts beside it."""
    timm = _timm()
    model = timm.create_model("resnet10t", pretrained=False, num_classes=2)
    Path(folder).mkdir()
    import_module("timm.models._hub").save_for_hf(model, folder, safe_serialization=True)


def load_transformers(name: str) -> str:
    """Loads the model by its name on the hub, or from the cache."""
    return type(import_module("transformers").AutoModel.from_pretrained(name)).__name__


def load_diffusers(name: str) -> str:
    """Loads the pipeline."""
    return type(import_module("diffusers").DDPMPipeline.from_pretrained(name)).__name__


def load_sentences(name: str) -> int:
    """Loads the model and embeds a sentence; how long the vector is."""
    return len(import_module("sentence_transformers").SentenceTransformer(name).encode("hello world"))


def load_timm(name: str) -> str:
    """Loads the picture model."""
    return type(_timm().create_model(f"hf-hub:{name}", pretrained=True)).__name__


def _timm() -> ModuleType:
    """timm, whose torchvision is built for CUDA and looks for operators that only its CUDA part brings."""
    operators = import_module("torch.library").Library("torchvision", "DEF")
    KEPT.append(operators)
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return import_module("timm")

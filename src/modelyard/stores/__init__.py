"""Every store that modelyard knows: one module each, listed here."""

from __future__ import annotations

from modelyard.stores import checkpoints, conda, huggingface, lmstudio, ollama, pip, torchhub
from modelyard.stores.adapter import Adapter

ADAPTERS: tuple[Adapter, ...] = (huggingface, ollama, lmstudio, torchhub, checkpoints, conda, pip)

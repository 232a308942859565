"""What a checkpoint keeps for the training alone: the state of optimizers, schedules and random generators, by name.

Names of the parts: what torch's tutorials, Lightning, timm, transformers' Trainer, DeepSpeed and Keras write. Names of
the slots: torch.optim and bitsandbytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

WRAPPERS = frozenset((
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params",
))  # fmt: skip
"""Keys under which people put a model's weights."""
TRAINING = frozenset((
    "optimizer", "optimizers", "optimizer_state", "optimizer_states", "optimizer_state_dict", "optim", "scheduler",
    "schedulers", "lr_scheduler", "lr_schedulers", "scheduler_state_dict", "callbacks", "loops", "scaler",
    "grad_scaler", "amp", "amp_scaler", "native_amp_scaling", "rng_state", "rng_states", "cuda_rng_state",
    "random_rng_state", "np_rng_state", "loss_scaler",
))  # fmt: skip
"""Keys under which training keeps what only training needs."""
ALWAYS = re.compile(r"optimizer(?:s|_states?|_state_dict|_weights)?[./]|(?:.*\.)?param_groups\.")
SLOT = re.compile(
    r"(?:.*\.)?state\.(?:\d+|\?)\.(?:step|exp_avg(?:_sq(?:_row|_col)?)?|exp_inf|max_exp_avg_sq|momentum_buffer|square_avg"
    r"|grad_avg|acc_delta|sum|prev|step_size|eta|ax|mu|mu_product|state[12]|absmax[12]|qmap[12])"
)
RANDOM = re.compile(r"(?:.*_)?rng(?:_.*)?")


def for_training(names: Sequence[str]) -> list[bool]:
    """Of each tensor of one file, whether only the training needs it.

    Models have layers of any name: a `scaler` is one of training only beside a part that people keep weights in.
    """
    firsts = [re.split(r"[./]", name, maxsplit=1)[0] for name in names]
    wrapped = not WRAPPERS.isdisjoint(firsts)
    return [
        bool(ALWAYS.match(name) or SLOT.fullmatch(name))
        or (wrapped and (first in TRAINING or RANDOM.fullmatch(first) is not None))
        for name, first in zip(names, firsts, strict=True)
    ]

"""The optimiser, and which parameters decay; the precision that the hardware is good at."""

import torch

from training.config import Recipe
from training.embedder import Embedder


def make_optimizer(embedder: Embedder, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; only the backbone's weight matrices decay, never biases or the loss's parameters."""
    backbone = list(embedder.backbone.parameters())
    groups = [
        {"params": [p for p in backbone if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in backbone if p.ndim <= 1], "weight_decay": 0.0},
        {"params": list(embedder.loss.parameters()), "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))

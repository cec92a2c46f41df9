"""What of a model no bound here is about, said at once and not one thing after the other (torch)."""

from __future__ import annotations

from torch import nn


class NotFollowed(ValueError):
    """A model that does what no bound here is about, or whose code cannot be followed; it may still be tested (`predictor`)."""


_PRODUCTS = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.Transformer, nn.RNNBase)
_NOT_KNOWN = (
    *(nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.LocalResponseNorm, nn.RMSNorm),
    *(nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.ELU, nn.SELU, nn.CELU, nn.PReLU, nn.Softplus, nn.Hardswish, nn.ReLU6),
    *(nn.Embedding, nn.ConvTranspose2d, nn.Upsample, nn.Conv1d, nn.Conv3d, nn.LPPool2d, nn.Bilinear),
)
_NAMED = 4  # of what else is in the way


def refuse_products(model: nn.Module) -> None:
    """Raises NotFollowed for attention and recurrence, whatever else would be said first of such a model."""
    for name, module in model.named_modules():
        if isinstance(module, _PRODUCTS):
            raise NotFollowed(
                f"{name or 'the model'} is a {type(module).__name__}: attention and recurrent networks multiply what they compute of the input "
                "with itself, and the bounds here are about feed-forward ReLU networks; there is no number to give but a test's"
            )


def further(model: nn.Module, said: str) -> str:
    """What else is in the way, so that it is not found out one by one."""
    others = [
        f"{name} ({type(module).__name__})"
        for name, module in model.named_modules()
        if isinstance(module, _NOT_KNOWN) and name and not said.startswith(f"{name}:")
    ]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f". In the way as well: {', '.join(others[:_NAMED])}{more}" if others else ""

"""Ways of running torch that are not what they are called, or lose something on the way."""

from __future__ import annotations

from typing import Any

from tests.meta.mutants import Catalogue

IN_EFFECT = "a-mode-was-in-effect"
SAME_BITS = "a-mode-that-carries-over-moves-no-bit"
VALUES = "every-value-is-the-oracles"

TORCH_INFERENCE = Catalogue("torch:inference")

CATALOGUES = (TORCH_INFERENCE,)


@TORCH_INFERENCE.mutant("a mode that is not in effect", IN_EFFECT)
def no_inference(patch: Any) -> None:
    import torch

    patch.setattr(torch, "inference_mode", torch.no_grad)


@TORCH_INFERENCE.mutant("a mode with numbers of its own", SAME_BITS)
def other_numbers(patch: Any) -> None:
    import torch

    own = torch._VF.lstm

    def lstm(*arguments: Any) -> Any:
        output, *states = own(*arguments)
        return output * (1 + 1e-6 * torch.is_inference_mode_enabled()), *states

    patch.setattr(torch._VF, "lstm", lstm)

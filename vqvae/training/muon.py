"""Muon for convolutions, AdamW for the rest."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that is iterated; by Jordan, "Muon", 2024."""


class ConvMuon(Optimizer):
    """Steps of convolution kernels are orthogonalised momentum; all other parameters follow AdamW.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. A kernel is taken as a matrix with
    a row for each output channel. Steps are scaled to the root mean square of AdamW's, 0.2 (Liu et al., "Muon is
    Scalable for LLM Training", 2025), so that one learning rate serves both.

    Args:
        params: the parameters.
        lr: learning rate.
        momentum: of the orthogonalised steps.
        betas, eps: of AdamW.
        weight_decay: decoupled, for all.
        smallest: a kernel with fewer output or input channels follows AdamW.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        betas: Sequence[float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 1e-4,
        smallest: int = 32,
    ):
        defaults = {"lr": lr, "momentum": momentum, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        self.smallest = smallest

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rest = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.dim() == 4 and min(parameter.shape[:2]) >= self.smallest:
                    self._orthogonal_step(parameter, parameter.grad, group)
                else:
                    rest.append(parameter)
            self._adamw_step(rest, group)
        return loss

    def _orthogonal_step(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"]
        momentum.lerp_(grad, 1 - group["momentum"])
        update = orthogonalize(grad.lerp(momentum, group["momentum"]).flatten(1))
        scale = 0.2 * max(update.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update.view_as(parameter), alpha=-group["lr"] * scale)

    def _adamw_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter] |= {
                    "step": torch.zeros(()),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters,
            [parameter.grad for parameter in parameters],  # type: ignore[misc]
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            maximize=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            **{key: group[key] for key in ("lr", "weight_decay", "eps")},
        )


def orthogonalize(matrix: Float[Tensor, "r c"], steps: int = 5) -> Float[Tensor, "r c"]:
    """About the nearest matrix with orthonormal rows or columns, by a Newton-Schulz iteration in bfloat16."""
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if turned else x).to(matrix.dtype)

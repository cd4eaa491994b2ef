"""Learning-rate schedules."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_hold_decay(optimizer: Optimizer, total_steps: int, warmup: int = 500, decay: float = 0.2) -> LambdaLR:
    """Warms up over `warmup` steps, holds, and decays linearly to 0 over the last fraction `decay` of the steps.

    Unlike a cosine it does not depend on the length of the training: the decay can start from any checkpoint.
    Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024.
    """
    last = total_steps - 1
    falling = max(1.0, last - total_steps * (1 - decay))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup, max(0.0, (last - step) / falling))

    return LambdaLR(optimizer, factor)

"""A change of estimator during the training."""

from jaxtyping import Float, Int64
from torch import Tensor, nn

from vqvae.quantizers.estimators import Estimate, Estimator


class ScheduledEstimator(Estimator):
    """One estimator for the first part of a training, another for the rest; checkpoints hold the state of both.

    NSVQ quickly brings all codewords into use, but its noise is isotropic while the encoder's vectors occupy few of
    their dimensions, so the decoder learns to expect less error than it will get. An estimator that then passes the
    quantised values corrects that.

    Args:
        first: the estimator to begin with.
        then: the estimator that replaces it.
        start: the fraction of the training after which it does.
    """

    def __init__(self, first: Estimator, then: Estimator, start: float):
        super().__init__()
        if not 0 <= start <= 1:
            raise ValueError(f"start is {start}, but must be a fraction of the training, from 0 to 1")
        self.first, self.then, self.start = first, then, start
        self.switched = False

    @property
    def active(self) -> Estimator:
        """The estimator in use."""
        return self.then if self.switched else self.first

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        return self.active(x, quantized)

    def attach(self, codebooks: Float[nn.Parameter, "M K d"]) -> None:
        self.switched = False
        for estimator in (self.then, self.first):  # the last one decides how the codebooks are trained
            estimator.attach(codebooks)

    def update(
        self,
        codebooks: Float[Tensor, "M K d"],
        indices: Int64[Tensor, "n m"],
        x: Float[Tensor, "n D"],
        quantized: Float[Tensor, "n D"],
    ) -> None:
        self.active.update(codebooks, indices, x, quantized)

    def advance(self, progress: float, codebooks: Float[nn.Parameter, "M K d"] | None) -> None:
        if self.switched or progress < self.start:
            return
        self.switched = True
        if codebooks is not None:
            state = self.then.state_dict()  # of a checkpoint, perhaps, which attaching would reset
            self.then.attach(codebooks)
            self.then.load_state_dict(state)

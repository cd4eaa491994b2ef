"""How often a search finds the true nearest neighbour."""

from jaxtyping import Int64, Integer
from torch import Tensor

RANKS = tuple(2**power for power in range(10))  # 1 to 512, as in Vali and Bäckström, ICASSP 2023


def recall(found: Int64[Tensor, "q k"], neighbours: Integer[Tensor, "q g"], rank: int) -> float:
    """Recall@T: the share of queries whose true nearest neighbour is among the first T found.

    Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011.

    Args:
        found: the ids that a search found, nearest first.
        neighbours: the ids of the true neighbours, nearest first; only the nearest counts.
        rank: T.

    Raises:
        ValueError: fewer than T were looked for.
    """
    if not 1 <= rank <= found.shape[1]:
        raise ValueError(f"rank is {rank}, but must be from 1 to the {found.shape[1]} that were looked for")
    return float((found[:, :rank] == neighbours[:, :1]).any(dim=1).float().mean())

"""Python threads for kernels that release the GIL."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any

import torch


def in_threads(kernel: Callable[..., None], calls: Iterable[tuple[Any, ...]]) -> None:
    """Calls the kernel with each tuple of arguments, in as many threads as PyTorch uses. The kernel may do so, too."""
    waiting = deque(calls)

    def work() -> None:
        while True:
            try:
                arguments = waiting.popleft()
            except IndexError:
                return
            kernel(*arguments)

    threads = min(torch.get_num_threads(), len(waiting))
    others = [_pool(os.getpid()).submit(copy_context().run, work) for _ in range(threads - 1)]
    work()
    for other in others:
        if not other.cancel():  # one that has not begun has nothing left to do, and might wait for this very thread
            other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of this process: a fork does not inherit those of its parent."""
    return ThreadPoolExecutor(os.cpu_count(), "vqvae")

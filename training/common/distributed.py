"""The processes that train together, and what they tell each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch import distributed as dist

from training.errors import TrainingError

Result = TypeVar("Result")


@dataclass(frozen=True)
class DistributedContext:
    """This process is number `rank` of `size`, and number `local` of those on its machine.

    Each one embeds its part of every batch; the joined batch, in the order of the one process
    that would train alone, is known to all. Only the first writes files and shows progress.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Return whether this is the process that writes."""
        return self.rank == 0

    def parts(self, total: int) -> list[int]:
        """Return each process's share of `total` rows: as even as can be, the longer ones first."""
        return [total // self.size + (rank < total % self.size) for rank in range(self.size)]

    def part(self, total: int) -> slice:
        """This process's rows of `total`."""
        counts = self.parts(total)
        start = sum(counts[: self.rank])
        return slice(start, start + counts[self.rank])

    def joined(self, rows: Float[Tensor, "p ..."], total: int) -> Float[Tensor, "b ..."]:
        """Every process's rows, in order of rank; gradients go back to whose rows they are.

        The gradients of all processes are added up. Where all compute the same function of the
        joined rows, each therefore gets `size` times the function's gradient, and a mean over the
        processes, which is what DistributedDataParallel takes, makes it exact.
        """
        if self.size == 1:
            return rows
        joined: Tensor = _AllGather.apply(rows, self.parts(total), self.part(total))
        return joined

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is set in one of the processes."""
        if self.size == 1:
            return flag
        flags = torch.tensor(int(flag))
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)

    def broadcast_from_main(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the first process and give its result, or TrainingError, to all."""
        if self.size == 1:
            return work()
        outcome = [_attempted(work) if self.first else None]
        dist.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        result: Result = _result(outcome)
        return result

    def main_process_first(self, work: Callable[[], Result]) -> Result:
        """`work` in one process of each machine, then in the others, which find its cache."""
        if self.size == 1:
            return work()
        mine: Any = (None, None)
        for turn in (True, False):
            if (self.local == 0) == turn:
                mine = _attempted(work)
            errors: list[Any] = [None] * self.size
            dist.all_gather_object(errors, mine[1])
            for error in errors:
                if error is not None:
                    raise error
        result: Result = _result([mine])
        return result


ALONE = DistributedContext()


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int], part: slice) -> Tensor:
        ctx.part = part
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        pieces = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(pieces, padded)
        return torch.cat([piece[:count] for piece, count in zip(pieces, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.part], None, None


def _attempted(work: Callable[[], Result]) -> tuple[Result | None, TrainingError | None]:
    try:
        return work(), None
    except TrainingError as error:
        return None, error


def _result(outcome: list[Any]) -> Any:
    value, error = outcome[0]
    if error is not None:
        raise error
    return value

"""What a model takes and gives, whoever says it: the model file, its code, a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

DIRECTIONS = ("input", "output")


class Tensor(NamedTuple):
    """An input or output; ``data_type`` is TYPE_…, ``dims`` have -1 for what varies. None: not known."""

    name: str
    data_type: str | None = None
    dims: tuple[int, ...] | None = None
    optional: bool = False


class Interface(NamedTuple):
    """What a model has.

    ``complete`` holds the directions whose names are all known. ``batch`` is True where the first dimension of
    ``dims`` is the batch, False where the dims leave it out, None where nothing tells. ``most`` is the largest
    batch that the model declares (0: it takes no batches). ``exact`` is False where it was put together from hints;
    ``rough`` names tensors of which only the rank is known.
    """

    source: str
    input: tuple[Tensor, ...] = ()
    output: tuple[Tensor, ...] = ()
    complete: tuple[str, ...] = ()
    batch: bool | None = None
    most: int | None = None
    exact: bool = True
    rough: tuple[str, ...] = ()

    def of(self, direction: str) -> tuple[Tensor, ...]:
        """The inputs or the outputs."""
        return self.input if direction == "input" else self.output

    def named(self, direction: str, name: str) -> Tensor | None:
        """A tensor by its name."""
        return next((each for each in self.of(direction) if each.name == name), None)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them."""
        return (*self.input, *self.output)

    @property
    def takes_batches(self) -> bool | None:
        """Whether requests of any batch size can be joined: every tensor begins with a dimension that varies.

        None: nothing tells.
        """
        if self.most is not None:
            return self.most > 0
        if self.batch is None:
            return None
        known = [each.dims for each in self.tensors if each.dims is not None]
        if not known or not self.batch:
            return None if self.batch else True
        return all(dims and dims[0] == -1 for dims in known)

    def dims(self, tensor: Tensor, max_batch_size: int) -> tuple[int, ...] | None:
        """The dims as config.pbtxt must give them with this max_batch_size."""
        if tensor.dims is None or self.batch is None:
            return tensor.dims
        if self.batch and max_batch_size > 0:
            return tensor.dims[1:]
        if not self.batch and max_batch_size == 0 and self.most:
            return (-1, *tensor.dims)
        return tensor.dims


def agree(wanted: Sequence[int], given: Sequence[int]) -> bool:
    """Whether both dims can be of one tensor: same rank, and equal where neither varies."""
    return len(wanted) == len(given) and all(
        one == other or -1 in (one, other) for one, other in zip(wanted, given, strict=True)
    )

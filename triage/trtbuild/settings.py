"""What a TensorRT build is told: profiles, precisions, memory pools, tactics, plugins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Dims = tuple[int, ...]
PRECISIONS = ("fp16", "bf16", "int8", "fp8", "tf32")
SOURCES = ("cublas", "cublas_lt", "cudnn", "edge_mask_convolutions", "jit_convolutions")


class Range(NamedTuple):
    """The sizes that one profile gives one input.

    ``values`` is True for a shape tensor: what the tensor holds, not its dimensions.
    """

    least: Dims
    opt: Dims
    most: Dims
    values: bool = False

    @property
    def ordered(self) -> bool:
        """Every size grows from the least over the best to the most."""
        if not len(self.least) == len(self.opt) == len(self.most):
            return False
        return all(low <= opt <= high for low, opt, high in zip(self.least, self.opt, self.most, strict=True))

    def covers(self, dims: Sequence[int]) -> bool:
        """Whether a shape lies inside."""
        return len(dims) == len(self.least) and all(
            low <= size <= high for low, size, high in zip(self.least, dims, self.most, strict=True)
        )

    def __str__(self) -> str:
        return " / ".join(by_x(dims) for dims in (self.least, self.opt, self.most))


Profile = Mapping[str, Range]


class Settings(NamedTuple):
    """One build. What is None or empty is left to TensorRT.

    ``flags`` are lower-case builder flags (fp16, obey_precision_constraints …), ``pools`` bytes by pool,
    ``tactics`` the allowed sources, ``layers`` a precision by layer or tensor, ``shapes`` what is run.
    """

    profiles: tuple[Profile, ...] = ()
    flags: frozenset[str] = frozenset()
    pools: Mapping[str, int] = {}
    tactics: tuple[str, ...] | None = None
    level: int | None = None
    layers: Mapping[str, str] = {}
    plugins: tuple[str, ...] = ()
    typed: bool = False
    timing_cache: str | None = None
    calibration: Mapping[str, Any] | None = None
    model: str | None = None
    plan: str | None = None
    shapes: Mapping[str, Dims] = {}


def by_x(dims: Iterable[int]) -> str:
    """``(1, 3, 224)`` as ``1x3x224``."""
    return "x".join(str(size) for size in dims)


def from_x(text: str) -> Dims | None:
    """``1x3x224`` (also with commas or blanks, in brackets) as numbers; None where it is no shape."""
    pieces = text.strip().strip("[]()").replace(",", "x").replace("X", "x").replace(" ", "x").split("x")
    pieces = [piece for piece in pieces if piece]
    return tuple(int(piece) for piece in pieces) if pieces and all(piece.isdecimal() for piece in pieces) else None


def as_plain(profiles: Sequence[Profile]) -> list[dict[str, dict[str, Any]]]:
    """Profiles as JSON holds them."""
    return [{name: _plain(found) for name, found in profile.items()} for profile in profiles]


def from_plain(body: Iterable[Mapping[str, Mapping[str, Any]]]) -> tuple[dict[str, Range], ...]:
    """What ``as_plain`` made."""
    return tuple({name: _range(told) for name, told in profile.items()} for profile in body)


def _plain(found: Range) -> dict[str, Any]:
    plain: dict[str, Any] = {"min": list(found.least), "opt": list(found.opt), "max": list(found.most)}
    return {**plain, "values": True} if found.values else plain


def _range(told: Mapping[str, Any]) -> Range:
    least, opt, most = (_dims(told[key]) for key in ("min", "opt", "max"))
    return Range(least, opt, most, bool(told.get("values", False)))


def _dims(value: Any) -> Dims:
    return tuple(int(size) for size in (value if isinstance(value, list | tuple) else [value]))

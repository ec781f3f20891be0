"""What is worked out of a fit once and kept with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast

T = TypeVar("T")
Kept = dict[tuple[Hashable, ...], object]


class Keeps(Protocol):
    """What has room for it."""

    @property
    def _kept(self) -> Kept: ...


def once(fit: Keeps, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """Return what `make` returned when this was first asked of the fit.

    The key begins with the function whose result it is.
    """
    kept = fit._kept
    if key not in kept:
        kept[key] = make()
    return cast("T", kept[key])


def forget(fit: Keeps) -> None:
    """Work everything out again when it is next asked for."""
    fit._kept.clear()

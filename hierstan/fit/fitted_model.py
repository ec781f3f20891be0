"""What a fit knows of the model that was fitted: the models themselves lie above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hierstan.data.grouped_data import GroupedData
from hierstan.priors import Prior

if TYPE_CHECKING:
    import os

    from hierstan.fit.fit import Fit


class Kind(Protocol):
    """How groups are pooled, of one part or of two."""

    @property
    def name(self) -> str:
        """The pooling's name: "complete", "none" or "partial"."""
        ...

    @property
    def has_population(self) -> bool:
        """Whether the groups are of a population whose spread is estimated."""
        ...

    @property
    def shares_mean(self) -> bool:
        """Whether all groups have one mean."""
        ...

    @property
    def stands_alone(self) -> bool:
        """Whether each group learns nothing from the others."""
        ...


class FittedModel(Kind, Protocol):
    """A pooling: a dataclass, which `dataclasses.replace` copies."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def priors(self) -> Mapping[str, Prior] | None:
        """The priors that were given."""
        ...

    @property
    def template_dir(self) -> str | os.PathLike[str] | None:
        """The folder of edited templates."""
        ...

    def fit(
        self,
        data: GroupedData,
        *,
        chains: int = ...,
        warmup: int = ...,
        draws: int = ...,
        seed: int | None = ...,
        adapt_delta: float | None = ...,
        engine: str = ...,
        progress: bool = ...,
    ) -> Fit:
        """Fit the model to other data."""
        ...


class FittedTwoPart(Kind, Protocol):
    """A model of who buys, and of how much."""

    @property
    def amounts(self) -> str:
        """The family of the amounts."""
        ...

    @property
    def priors(self) -> Mapping[str, Mapping[str, Prior]] | None:
        """The priors that were given, by part."""
        ...

"""All prior distributions; here are those of parameters that can take any value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from hierstan.errors import PriorError
from hierstan.positive_priors import Exponential as Exponential
from hierstan.positive_priors import Gamma as Gamma
from hierstan.positive_priors import HalfCauchy as HalfCauchy
from hierstan.positive_priors import HalfNormal as HalfNormal
from hierstan.positive_priors import HalfStudentT as HalfStudentT
from hierstan.positive_priors import InverseGamma as InverseGamma
from hierstan.positive_priors import LogNormal as LogNormal
from hierstan.prior import Prior as Prior


@dataclass(frozen=True)
class Normal(Prior):
    """Normal prior.

    Parameters
    ----------
    location, scale : float
        Mean and standard deviation, on the link scale.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.Normal(0, 10))
    Normal(0, 10)
    """

    location: float
    scale: float
    stan_name: ClassVar[str] = "normal"

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.norm(self.location, self.scale), 1.0


@dataclass(frozen=True)
class StudentT(Prior):
    """Student's t prior with `df` degrees of freedom.

    Parameters
    ----------
    df, location, scale : float

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.StudentT(3, 0, 2.5))
    StudentT(3, 0, 2.5)
    """

    df: float
    location: float
    scale: float
    stan_name: ClassVar[str] = "student_t"

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.t(self.df, self.location, self.scale), 1.0


@dataclass(frozen=True)
class Cauchy(Prior):
    """Cauchy prior.

    Parameters
    ----------
    location, scale : float

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.Cauchy(0, 5))
    Cauchy(0, 5)
    """

    location: float
    scale: float
    stan_name: ClassVar[str] = "cauchy"

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.cauchy(self.location, self.scale), 1.0


@dataclass(frozen=True)
class Uniform(Prior):
    """Uniform prior between two finite bounds.

    On `tau` it warns: with few groups the likelihood of `tau` has a long, slowly falling tail, and
    a uniform prior hands that tail to the posterior (Gelman 2006, doi:10.1214/06-BA117A).

    Parameters
    ----------
    lower, upper : float

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.Uniform(-10, 10))
    Uniform(-10, 10)
    """

    lower: float
    upper: float
    stan_name: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lower < self.upper:
            raise PriorError(
                f"Uniform: lower must be below upper, got lower={self.lower}, upper={self.upper}."
            )

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.uniform(self.lower, self.upper - self.lower), 1.0


PRIORS: dict[str, type[Prior]] = {
    cls.__name__: cls
    for cls in (
        Normal, StudentT, Cauchy, HalfNormal, HalfStudentT, HalfCauchy,
        Exponential, Gamma, InverseGamma, LogNormal, Uniform,
    )
}  # fmt: skip

"""Prior distributions of positive parameters, such as ``tau`` and ``sigma``.

The half distributions are the full ones on a parameter that is declared positive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from hierstan.prior import Prior


@dataclass(frozen=True)
class HalfNormal(Prior):
    """Half-normal prior: a normal around 0, cut at 0. The default for `tau`.

    Parameters
    ----------
    scale : float
        Standard deviation of the normal before cutting; the median is 0.67 `scale`.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.HalfNormal(5))
    HalfNormal(5)
    """

    scale: float
    stan_name: ClassVar[str] = "normal"
    positive: ClassVar[bool] = True

    def stan_arguments(self, parameter: str) -> str:
        """Return the arguments of the Stan distribution, named after `parameter`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.HalfNormal(5).stan_arguments("tau")
        '0, tau_scale'
        """
        return f"0, {parameter}_scale"

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.norm(0, self.scale), 2.0


@dataclass(frozen=True)
class HalfStudentT(Prior):
    """Half-Student-t prior: Student's t around 0, cut at 0.

    Parameters
    ----------
    df, scale : float

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.HalfStudentT(4, 2.5))
    HalfStudentT(4, 2.5)
    """

    df: float
    scale: float
    stan_name: ClassVar[str] = "student_t"
    positive: ClassVar[bool] = True

    def stan_arguments(self, parameter: str) -> str:
        """Return the arguments of the Stan distribution, named after `parameter`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.HalfStudentT(4, 2.5).stan_arguments("tau")
        'tau_df, 0, tau_scale'
        """
        return f"{parameter}_df, 0, {parameter}_scale"

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.t(self.df, 0, self.scale), 2.0


@dataclass(frozen=True)
class HalfCauchy(Prior):
    """Half-Cauchy prior: a Cauchy around 0, cut at 0; heavy-tailed (Gelman 2006).

    Parameters
    ----------
    scale : float
        The median.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.HalfCauchy(5))
    HalfCauchy(5)
    """

    scale: float
    stan_name: ClassVar[str] = "cauchy"
    positive: ClassVar[bool] = True

    def stan_arguments(self, parameter: str) -> str:
        """Return the arguments of the Stan distribution, named after `parameter`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.HalfCauchy(5).stan_arguments("tau")
        '0, tau_scale'
        """
        return f"0, {parameter}_scale"

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.cauchy(0, self.scale), 2.0


@dataclass(frozen=True)
class Exponential(Prior):
    """Exponential prior on a positive parameter.

    Parameters
    ----------
    rate : float
        The inverse of the mean.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.Exponential(1))
    Exponential(1)
    """

    rate: float
    stan_name: ClassVar[str] = "exponential"
    positive: ClassVar[bool] = True

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.expon(scale=1 / self.rate), 1.0


@dataclass(frozen=True)
class Gamma(Prior):
    """Gamma prior on a positive parameter.

    Parameters
    ----------
    shape, rate : float
        The mean is ``shape / rate``.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.Gamma(2, 0.1))
    Gamma(2, 0.1)
    """

    shape: float
    rate: float
    stan_name: ClassVar[str] = "gamma"
    positive: ClassVar[bool] = True

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.gamma(self.shape, scale=1 / self.rate), 1.0


@dataclass(frozen=True)
class InverseGamma(Prior):
    """Inverse-gamma prior on a positive parameter.

    Parameters
    ----------
    shape, scale : float
        The mean is ``scale / (shape - 1)`` where ``shape > 1``.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.InverseGamma(3, 2))
    InverseGamma(3, 2)
    """

    shape: float
    scale: float
    stan_name: ClassVar[str] = "inv_gamma"
    positive: ClassVar[bool] = True

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.invgamma(self.shape, scale=self.scale), 1.0


@dataclass(frozen=True)
class LogNormal(Prior):
    """Lognormal prior on a positive parameter.

    Parameters
    ----------
    location, scale : float
        Mean and standard deviation of the logarithm.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.LogNormal(0, 1))
    LogNormal(0, 1)
    """

    location: float
    scale: float
    stan_name: ClassVar[str] = "lognormal"
    positive: ClassVar[bool] = True

    def _scipy(self) -> tuple[Any, float]:
        from scipy import stats

        return stats.lognorm(self.scale, scale=math.exp(self.location)), 1.0

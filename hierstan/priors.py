"""Prior distributions: their numbers, their support and their spelling in Stan.

A prior's *kind* is text in the Stan program and its *numbers* are data, so a change of numbers
never recompiles a model. The half distributions are the full ones on a parameter declared positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import lazy_loader
import numpy as np

from hierstan.errors import PriorError

scipy = lazy_loader.load("scipy")  # not before a density is asked for

NUMBERS = (int, float, np.integer, np.floating)
SYMMETRIC = ("normal", "student_t", "cauchy")
POSITIVE_FIELDS = frozenset({"scale", "df", "rate", "shape", "concentration"})


@dataclass(frozen=True)
class Prior:
    """Base of all priors: a Stan distribution with its numbers."""

    stan_name: ClassVar[str]
    positive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, value in self.numbers().items():
            if isinstance(value, bool) or not isinstance(value, NUMBERS):
                raise PriorError(f"{type(self).__name__}: {name} must be a number, got {value!r}.")
            if not math.isfinite(value):
                raise PriorError(
                    f"{type(self).__name__}: {name} must be finite, got {value}. An improper prior "
                    "has no prior predictive distribution and may leave the posterior improper; "
                    "give a wide but finite one."
                )
            if name in POSITIVE_FIELDS and value <= 0:
                raise PriorError(f"{type(self).__name__}: {name} must be above 0, got {value}.")
            object.__setattr__(self, name, float(value))

    def numbers(self) -> dict[str, float]:
        """Return the numbers by name, in the order in which Stan takes them.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.StudentT(3, 0, 2.5).numbers()
        {'df': 3.0, 'location': 0.0, 'scale': 2.5}
        """
        return dict(vars(self))

    def stan_arguments(self, parameter: str) -> str:
        """Return the arguments of the Stan distribution, named after `parameter`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.Normal(0, 10).stan_arguments("mu")
        'mu_location, mu_scale'
        >>> hs.HalfStudentT(4, 2.5).stan_arguments("tau")
        'tau_df, 0, tau_scale'
        """
        *first, last = (f"{parameter}_{name}" for name in self.numbers())
        half = self.positive and self.stan_name in SYMMETRIC and "location" not in self.numbers()
        return ", ".join([*first, *["0"] * half, last])

    def log_density(self, x: np.typing.ArrayLike) -> np.ndarray:
        """Return the log density at `x`, of any shape, up to no constant.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.Exponential(1).log_density([2.0, -1.0])
        array([ -2., -inf])
        """
        x = np.asarray(x, dtype=float)
        return log_density_of_each([self], x.ravel())[:, 0].reshape(x.shape)

    def quantile(self, q: np.typing.ArrayLike) -> np.ndarray:
        """Return the quantiles at the probabilities `q`.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.HalfNormal(5).quantile([0.5, 0.95]).round(2)
        array([3.37, 9.8 ])
        """
        (location, scale, *shape), factor = self._standard(), self._folded()
        q = np.asarray(q, dtype=float)
        q = np.where(q > 0, 1 - (1 - q) / factor, q) if factor != 1 else q
        with np.errstate(divide="ignore"):
            found = location + scale * _QUANTILES[self.stan_name](q, *shape)
        return np.maximum(found, 0.0 if self.positive else -np.inf)

    def draw(self, rng: np.random.Generator, size: int | None = None) -> np.ndarray:
        """Draw one value, or so many: those of a vector.

        Examples
        --------
        >>> import hierstan as hs
        >>> import numpy as np
        >>> hs.Exponential(1).draw(np.random.default_rng(1), 3).shape
        (3,)
        """
        return self.quantile(rng.uniform(size=size))

    def _standard(self) -> tuple[float, ...]:
        """Return location, scale and shape of a variable of the standard distribution."""
        own = self.numbers()
        scale = own["scale"] if "scale" in own else 1 / own["rate"]
        return own.get("location", 0.0), scale, *(own[n] for n in ("df", "shape") if n in own)

    def _folded(self) -> float:
        """Return what folding or cutting the distribution at 0 multiplies its density by."""
        around, (location, scale, *_) = self.stan_name in SYMMETRIC, self._standard()
        return 2 / math.erfc(-location / scale / math.sqrt(2)) if self.positive and around else 1.0

    def __str__(self) -> str:
        """Return its call, the location with as many digits as its scale lets one see."""
        numbers = self.numbers()
        apart = abs(numbers.get("location", 0.0)) / numbers.get("scale", 1.0)
        digits = {"location": min(max(4, math.ceil(math.log10(apart or 1.0)) + 3), 17)}
        shown = ", ".join(f"{value:.{digits.get(name, 4)}g}" for name, value in numbers.items())
        return f"{type(self).__name__}({shown})"


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
            raise PriorError(f"Uniform: lower must be below upper, got {self.lower}, {self.upper}.")

    def _standard(self) -> tuple[float, ...]:
        return self.lower, self.upper - self.lower


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


@dataclass(frozen=True)
class TruncatedNormal(Prior):
    """Normal prior of a positive parameter, cut at 0: a spread that is known about.

    Parameters
    ----------
    location, scale : float
        Mean and standard deviation of the normal before cutting; with location 0 that is
        `HalfNormal`.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.TruncatedNormal(1.2, 0.5))
    TruncatedNormal(1.2, 0.5)
    >>> hs.TruncatedNormal(1.2, 0.5).quantile([0.1, 0.5, 0.95]).round(2)
    array([0.58, 1.21, 2.02])
    """

    location: float
    scale: float
    stan_name: ClassVar[str] = "normal"
    positive: ClassVar[bool] = True


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

    def _standard(self) -> tuple[float, ...]:
        return 0.0, math.exp(self.location), self.scale


@dataclass(frozen=True)
class Dirichlet(Prior):
    """Induced Dirichlet prior of the cut points between ordered categories.

    The shares of the categories, in a group in the middle of where the cut points lie, have a
    symmetric Dirichlet distribution (Betancourt 2019, Ordinal regression, section 2.2,
    https://betanalpha.github.io/assets/case_studies/ordinal_regression.html). Only the differences
    between the cut points count; where the groups lie among them is said by ``mu`` or ``theta``.

    Parameters
    ----------
    concentration : float
        Of every category: with 1 all distributions over the categories are as likely, with more
        the shares are more alike.

    Examples
    --------
    >>> import hierstan as hs
    >>> print(hs.Dirichlet(2))
    Dirichlet(2)
    """

    concentration: float
    stan_name: ClassVar[str] = "induced_dirichlet"

    def log_density(self, x: np.typing.ArrayLike) -> np.ndarray:
        """Return the log density of cut points (..., C - 1) whose mean is 0, as (...).

        That is the density of the differences between them: their common location is integrated
        out.

        Examples
        --------
        >>> import hierstan as hs
        >>> print(hs.Dirichlet(1).log_density([-1.0, 1.0]).round(3))
        -1.138
        """
        cut = np.atleast_1d(np.asarray(x, dtype=float))
        a, K = self.concentration, cut.shape[-1]
        reach = np.abs(cut).max(initial=0.0) + 40 / (a * K) + 1
        step = 0.5 * min(0.7, 2 / np.sqrt(a * K))  # of the trapezoidal rule: exact to 1e-9
        places = np.linspace(-reach, reach, int(2 * reach / step) + 2)
        widths = np.log(-np.expm1(cut[..., :-1] - cut[..., 1:])).sum(axis=-1)
        total = np.full(cut.shape[:-1], -np.inf)
        for odds in (np.abs(cut + place) for place in places):
            total = np.logaddexp(total, -a * (odds + 2 * np.log1p(np.exp(-odds))).sum(axis=-1))
        norm = scipy.special.gammaln((K + 1) * a) - (K + 1) * scipy.special.gammaln(a)
        volume = np.log(places[1] - places[0]) + 0.5 * np.log(K)
        return np.asarray(norm + (a - 1) * widths + total + volume)

    def quantile(self, q: np.typing.ArrayLike) -> np.ndarray:
        """Refuse: a vector has no quantiles.

        Examples
        --------
        >>> import hierstan as hs
        >>> try:
        ...     hs.Dirichlet(1).quantile(0.5)
        ... except hs.PriorError as error:
        ...     print(error)
        Dirichlet(1) is the prior of a whole vector, and has no quantiles.
        """
        raise PriorError(f"{self} is the prior of a whole vector, and has no quantiles.")

    def draw(self, rng: np.random.Generator, size: int | None = None) -> np.ndarray:
        """Draw cut points around 0, so many of them.

        Examples
        --------
        >>> import hierstan as hs
        >>> import numpy as np
        >>> cut = hs.Dirichlet(1).draw(np.random.default_rng(1), 4)
        >>> bool((np.diff(cut) > 0).all()), abs(round(float(cut.mean()), 12))
        (True, 0.0)
        """
        shares = rng.dirichlet(np.full((size or 1) + 1, self.concentration))
        below, above = np.cumsum(shares)[:-1], np.cumsum(shares[::-1])[:-1][::-1]
        cut = np.log(below) - np.log(above)
        return np.asarray(cut - cut.mean())


PRIORS: dict[str, type[Prior]] = {cls.__name__: cls for cls in Prior.__subclasses__()}


def log_density_of_each(priors: Sequence[Prior], x: np.ndarray) -> np.ndarray:
    """Return the log density of each of some priors at `x` of shape (S,), (S, number of priors).

    Examples
    --------
    >>> import numpy as np
    >>> import hierstan as hs
    >>> from hierstan.priors import log_density_of_each
    >>> log_density_of_each([hs.Exponential(1), hs.Exponential(2)], np.array([0.0, 3.0])).round(2)
    array([[ 0.  ,  0.69],
           [-3.  , -5.31]])
    """
    result = np.empty((len(x), len(priors)))
    for kind in {type(prior) for prior in priors}:
        columns = [column for column, prior in enumerate(priors) if type(prior) is kind]
        one, numbers = priors[columns[0]], [priors[column]._standard() for column in columns]
        location, scale, *shape = np.array(numbers).T
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            density = _LOG_DENSITIES[one.stan_name]((x[:, None] - location) / scale, *shape)
        density += np.log([priors[column]._folded() for column in columns]) - np.log(scale)
        nowhere = (~(x >= 0) & one.positive)[:, None] | np.isnan(density) & ~np.isnan(x)[:, None]
        result[:, columns] = np.where(nowhere, -np.inf, density)
    return result


def normal_quantile(q: np.ndarray) -> np.ndarray:
    """Return quantiles of the standard normal, by algorithm AS 241 (Wichura 1988).

    Importing `scipy.special` for it would take longer than most fits.

    Examples
    --------
    >>> import numpy as np
    >>> from hierstan.priors import normal_quantile
    >>> normal_quantile(np.array([0, 0.5, 0.975])).round(2)
    array([-inf, 0.  , 1.96])
    """
    inside = np.where((q > 0) & (q < 1), q, 0.5)
    ends = np.select([q == 0, q == 1], [-np.inf, np.inf], np.nan)
    inverse = np.frompyfunc(NormalDist().inv_cdf, 1, 1)
    return np.where(inside == q, inverse(inside), ends).astype(float)


_LOG_DENSITIES: dict[str, Callable[..., np.ndarray]] = {
    "normal": lambda z: -0.5 * (z**2 + math.log(2 * math.pi)),
    "student_t": lambda z, df: (
        -scipy.special.betaln(df / 2, 0.5) - 0.5 * np.log(df) - (df + 1) / 2 * np.log1p(z**2 / df)
    ),
    "cauchy": lambda z: -np.log(np.pi * (1 + z**2)),
    "uniform": lambda z: np.where((z < 0) | (z > 1), -np.inf, 0 * z),
    "exponential": lambda z: -z,
    "gamma": lambda z, shape: scipy.special.xlogy(shape - 1, z) - z - scipy.special.gammaln(shape),
    "inv_gamma": lambda z, a: scipy.special.xlogy(-a - 1, z) - 1 / z - scipy.special.gammaln(a),
    "lognormal": lambda z, s: -0.5 * (np.log(z) / s) ** 2 - np.log(z * s * math.sqrt(2 * math.pi)),
}
_QUANTILES: dict[str, Callable[..., np.ndarray]] = {
    "normal": normal_quantile,
    "student_t": lambda q, df: np.where(q > 0, scipy.special.stdtrit(df, q), -np.inf),
    "cauchy": lambda q: np.sin(np.pi * (q - 0.5)) / np.sin(np.pi * np.minimum(q, 1 - q)),
    "uniform": lambda q: q,
    "exponential": lambda q: -np.log1p(-q),
    "gamma": lambda q, shape: scipy.special.gammaincinv(shape, q),
    "inv_gamma": lambda q, shape: 1 / scipy.special.gammainccinv(shape, q),
    "lognormal": lambda q, shape: np.exp(shape * normal_quantile(q)),
}

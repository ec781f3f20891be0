"""How well the chains have mixed, and whether the sampler had trouble: numbers only.

R-hat, the effective sample sizes and the Monte Carlo standard error are those of Vehtari, Gelman,
Simpson, Carpenter and Bürkner (2021, Bayesian Analysis 16(2), 667-718, doi:10.1214/20-BA1221), as
ArviZ computes them; here every group is computed at once, where ArviZ goes through them one by one.
E-BFMI is that of Betancourt (2016, arXiv:1604.00695).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.engines import MAX_TREE_DEPTH
from hierstan.priors import normal_quantile
from hierstan.sampling.arrays import Arrays
from hierstan.text.tables import plain_labels

if TYPE_CHECKING:
    import xarray as xr

MAX_R_HAT = 1.01  # of a single parameter: Vehtari et al. 2021, section 4.3
CHANCE = 0.01  # that a single parameter whose chains agree is over its limit
MIN_ESS_PER_CHAIN = (
    100  # Vehtari et al. 2021: 400 in four chains, below which R-hat is noisy itself
)
MIN_E_BFMI = 0.3  # Betancourt 2016; the value that Stan's own diagnose takes
MAX_AT_DEPTH = 0.01  # share of transitions; hitting the limit costs time, not validity
MIN_DRAWS = 4  # in each chain: two halves of two draws
TAIL = 0.05  # tail ESS is the lesser one of the 5% and the 95% quantile

MIXING = ("r_hat", "ess_bulk", "ess_tail", "mcse_mean")
_BLOCK = 16  # parameters at a time, which bounds the memory


@dataclass(frozen=True, eq=False)
class Convergence:
    """What the draws and the sampler's statistics say.

    Attributes
    ----------
    parameters : pandas.DataFrame
        One line per scalar, labelled like ``theta[A]``: ``variable``, ``mean``, ``sd``, ``r_hat``,
        ``ess_bulk``, ``ess_tail``, ``mcse_mean``. NaN with fewer than 4 draws in each chain, and
        for R-hat of what never changes.
    chain_means : numpy.ndarray
        Mean of each parameter in each chain, of shape (K, chains); of each half of a single chain.
    chains, draws : int
        Number of chains, and of draws in each.
    divergences : int
        Transitions that diverged.
    e_bfmi : numpy.ndarray
        Energy Bayesian fraction of missing information of each chain.
    at_depth : float
        Share of transitions that stopped at the greatest tree depth.
    """

    parameters: pd.DataFrame
    chain_means: np.ndarray
    chains: int
    draws: int
    divergences: int
    e_bfmi: np.ndarray
    at_depth: float


def check_convergence(draws: xr.Dataset | Arrays, stats: xr.Dataset | Arrays) -> Convergence:
    """Check draws and sampler statistics.

    Parameters
    ----------
    draws : xarray.Dataset or Arrays
        Variables of dimensions ``chain``, ``draw`` and any others: a DataTree's posterior or prior.
    stats : xarray.Dataset or Arrays
        Its ``sample_stats``, with ``diverging``, ``energy`` and ``tree_depth``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> rng = np.random.default_rng(1)
    >>> shape = ("chain", "draw")
    >>> draws = xr.Dataset({"mu": (shape, rng.normal(size=(4, 1000)))})
    >>> stats = xr.Dataset({"diverging": (shape, np.zeros((4, 1000), bool)),
    ...                     "energy": (shape, rng.normal(size=(4, 1000))),
    ...                     "tree_depth": (shape, np.full((4, 1000), 3))})
    >>> found = check_convergence(draws, stats)
    >>> found.divergences, bool(found.parameters.loc["mu", "r_hat"] < 1.01)
    (0, True)
    """
    draws, stats = Arrays.of(draws), Arrays.of(stats)
    means = np.concatenate([_chain_means(values) for _, _, values in _flat(draws)])
    return Convergence(
        parameters=parameter_table(draws),
        chain_means=means,
        chains=draws.sizes["chain"],
        draws=draws.sizes["draw"],
        divergences=int(stats["diverging"].sum()),
        e_bfmi=e_bfmi(stats["energy"]),
        at_depth=float((stats["tree_depth"] >= MAX_TREE_DEPTH).mean()),
    )


def max_r_hat(parameters: int, chains: int) -> float:
    """Return what the largest R-hat of so many parameters may come to.

    Among thousands of parameters whose chains agree, a few exceed 1.01 by chance. Under agreement
    ``R-hat - 1`` is proportional to a chi-squared of 2 chains - 1 degrees of freedom (the variance
    between the halves of chains), so that 1.01 grows as its far quantiles do: with four chains it
    is 1.01 for up to about 40 parameters, 1.02 for thousands, 1.03 for a million.

    Parameters
    ----------
    parameters : int
        How many R-hats the largest is taken of, at least 1.
    chains : int

    Examples
    --------
    >>> max_r_hat(10, 4), max_r_hat(10_000, 4)
    (1.01, 1.02)
    """
    from scipy.special import chdtri

    far, once = chdtri(2 * chains - 1, np.array([CHANCE / max(parameters, 1), CHANCE]))
    return round(1 + (MAX_R_HAT - 1) * float(far / once), 2)


def parameter_table(draws: xr.Dataset | Arrays) -> pd.DataFrame:
    """Return the measures of every scalar: numbers first, then ``theta_new``, then ``theta``."""
    parts = []
    for name, labels, values in _flat(draws):
        alike = values.strides[0] == 0  # one mean that stands for all groups
        own = values[:1] if alike else values
        blocks = [
            _measures(np.ascontiguousarray(own[start : start + _BLOCK]))
            for start in range(0, len(own), _BLOCK)
        ]
        part = {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}
        if alike:
            part = {key: np.broadcast_to(each, len(values)) for key, each in part.items()}
        parts.append(pd.DataFrame({"variable": name, **part}, index=labels))
    return pd.concat(parts).rename_axis("parameter")


def quantiles(draws: xr.Dataset | Arrays, probabilities: tuple[float, ...]) -> np.ndarray:
    """Return quantiles of every scalar, of shape (K, len(probabilities)), in the same order."""
    parts = [
        np.quantile(values.reshape(len(values), -1), probabilities, axis=1).T
        for _, _, values in _flat(draws)
    ]
    return np.concatenate(parts)


def ess_of_mean(draws: np.ndarray) -> np.ndarray:
    """Return the effective sample size for the mean of draws (K, C, D), shape (K,)."""
    return _ess(_split(draws))


def e_bfmi(energy: np.ndarray) -> np.ndarray:
    """Return E-BFMI of each chain, from energies of shape (chains, draws)."""
    if energy.shape[1] < MIN_DRAWS:
        return np.full(len(energy), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.square(np.diff(energy)).mean(axis=1) / np.var(energy, axis=1, ddof=1)


# internals --------------------------------------------------------------------------------------


def _flat(draws: xr.Dataset | Arrays) -> Iterator[tuple[str, list[str], np.ndarray]]:
    """Yield each variable's name, the labels of its scalars and its draws (K, C, D)."""
    arrays = Arrays.of(draws)
    for name in sorted(arrays, key=lambda name: (arrays[name].ndim > 2, name == "theta_new")):
        values = arrays[name].astype(float, copy=False)
        values = values.reshape(*values.shape[:2], -1)
        yield name, _labels(name, arrays), values.transpose(2, 0, 1)


def _labels(name: str, draws: Arrays) -> list[str]:
    inner = draws.dims[name][2:]
    if not inner:
        return [name]
    labels = [plain_labels(draws.labels(dim)) for dim in inner]
    return [f"{name}[{','.join(parts)}]" for parts in itertools.product(*labels)]


def _chain_means(values: np.ndarray) -> np.ndarray:
    if values.shape[1] == 1 and values.shape[2] >= MIN_DRAWS:
        values = _split(values)
    return values.mean(axis=2)


def _measures(draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures of draws of shape (K, C, D), as arrays of shape (K,)."""
    K, chains, length = draws.shape
    measures = {"mean": draws.mean(axis=(1, 2)), "sd": np.full(K, np.nan)}
    with np.errstate(all="ignore"):  # a prior's tails overflow; a constant has no variance
        if chains * length > 1:
            measures["sd"] = np.std(draws, axis=(1, 2), ddof=1)
        if length < MIN_DRAWS:
            return measures | dict.fromkeys(MIXING, np.full(K, np.nan))
        halves = _split(draws)
        flat = halves.reshape(K, -1)
        order = np.argsort(flat, axis=1)
        ordered = np.take_along_axis(flat, order, axis=1)
        scores = _placed(_normal_scores(ordered), order).reshape(halves.shape)
        folded = np.abs(ordered - np.median(ordered, axis=1, keepdims=True))
        inner = np.argsort(folded, axis=1, kind="stable")  # quick: it falls, then rises
        of_folded = _normal_scores(np.take_along_axis(folded, inner, axis=1))
        far = _placed(_placed(of_folded, inner), order).reshape(halves.shape)
        r_hat = np.fmax(_r_hat(scores), _r_hat(far))
        every = ordered if flat[0].size == draws[0].size else draws.reshape(K, -1)
        limits = np.quantile(every, (TAIL, 1 - TAIL), axis=1)[:, :, None, None]
        tails = [_ess(_split((draws <= limit).astype(float))) for limit in limits]
        mcse = measures["sd"] / np.sqrt(_ess(halves))
        return measures | dict(
            zip(MIXING, (r_hat, _ess(scores), np.minimum(*tails), mcse), strict=True)
        )


def _split(draws: np.ndarray) -> np.ndarray:
    """Cut each chain in two: (K, C, D) to (K, 2C, D // 2)."""
    half = draws.shape[2] // 2
    return np.concatenate((draws[..., :half], draws[..., -half:]), axis=1)


def _normal_scores(ordered: np.ndarray) -> np.ndarray:
    """Return the normal scores of the ranks (Blom 1958) of rows that are sorted.

    Equal values share the mean of their ranks; a row with a missing value has none.
    """
    size = ordered.shape[1]
    scores = np.tile(_scores(size)[2::2], (len(ordered), 1))
    row, place = np.nonzero(ordered[:, 1:] == ordered[:, :-1])  # and equal to the next
    if len(row):
        first = np.flatnonzero(np.append(True, (np.diff(place) != 1) | (np.diff(row) != 0)))
        length = np.diff(np.append(first, len(row))) + 1
        rank = 2 * place[first] + 1 + length  # twice the mean of the ranks that are shared
        inside = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        at = np.repeat(row[first], length), np.repeat(place[first], length) + inside
        scores[at] = np.repeat(_scores(size)[rank], length)
    scores[np.isnan(ordered[:, -1])] = np.nan  # missing values are sorted to the end
    return scores


def _placed(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put sorted values back to where they were before."""
    found = np.empty(values.shape)
    np.put_along_axis(found, order, values, axis=1)
    return found


@lru_cache(maxsize=8)
def _scores(size: int) -> np.ndarray:
    """Return the normal scores of the ranks 0, 1/2, 1, ... among so many."""
    ranks = np.arange(2 * size + 1) / 2
    return normal_quantile((ranks - 0.375) / (size + 0.25))


def _r_hat(draws: np.ndarray) -> np.ndarray:
    """Return R-hat of chains as they are (Gelman and Rubin 1992, doi:10.1214/ss/1177011136)."""
    n = draws.shape[2]
    between = np.var(draws.mean(axis=2), axis=1, ddof=1)
    within = np.var(draws, axis=2, ddof=1).mean(axis=1)
    return np.sqrt(between / within + (n - 1) / n)


def _ess(draws: np.ndarray) -> np.ndarray:
    """Return the effective sample size of chains as they are, of shape (K, C, n).

    The autocorrelations are summed in pairs of lags, as far as the pairs are positive and never
    above an earlier one (Geyer 1992, doi:10.1214/ss/1177011137).
    """
    _, chains, n = draws.shape
    autocovariance = _autocovariance(draws)
    variance = autocovariance[:, :1]
    total = variance + np.var(draws.mean(axis=2), axis=1, ddof=1)[:, None]
    correlation = 1 - (variance * n / (n - 1) - autocovariance) / total
    correlation[:, 0] = 1
    last = max((n - 3) // 2, 0)  # the last pair whose lags a chain can tell
    pairs = correlation[:, 0 : 2 * last + 1 : 2] + correlation[:, 1 : 2 * last + 2 : 2]
    ends = ~(pairs > 0)
    ends[:, last] = True
    end = ends.argmax(axis=1)[:, None]
    before = np.arange(last + 1) < end
    summed = np.where(before, np.minimum.accumulate(pairs, axis=1), 0).sum(axis=1)
    rest = np.take_along_axis(correlation, 2 * end, axis=1)
    rest = np.where(np.take_along_axis(pairs, end, axis=1) >= 0, rest, np.maximum(rest, 0))[:, 0]
    size = chains * n
    ess = size / np.maximum(-1 + 2 * summed + rest, 1 / np.log10(size))
    return np.where(np.ptp(draws, axis=(1, 2)) == 0, size, ess)


def _autocovariance(draws: np.ndarray) -> np.ndarray:
    """Return the mean over chains of the autocovariance at each lag, of shape (K, n)."""
    n = draws.shape[2]
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(draws - draws.mean(axis=2, keepdims=True), n=size)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return np.fft.irfft(power, n=size)[:, :n] / n

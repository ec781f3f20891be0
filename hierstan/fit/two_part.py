"""The result of fitting both parts: rates, amounts, and revenue per customer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import raw_estimates
from hierstan.data.two_part import TwoPartData, describe
from hierstan.errors import HierstanError, HierstanWarning, warn
from hierstan.fit import group_summaries, portrait
from hierstan.fit.fit import Fit
from hierstan.fit.fitted_model import FittedTwoPart
from hierstan.fit.infinite_means import infinite_because, too_narrow
from hierstan.fit.new_outcomes import new_means
from hierstan.fit.once import Kept, once
from hierstan.fit.saving import file, records
from hierstan.fit.settings import check_prob, interval_words
from hierstan.text.answer import answer
from hierstan.text.tables import ROWS_SHOWN, Page, Table, numbers, percent, places, plain_labels
from hierstan.text.wording import listed, pooling_words

QUANTITIES = ("rate", "amount", "mean")
PART_WORDS = {"rate": "who buys", "amount": "how much they spend"}
CURE = (
    "Use priors of the amounts that fall faster: the defaults, or a Normal on mu and theta, a "
    "HalfNormal with a scale below 0.5 on tau and below 0.7 on sigma, or a Uniform."
)


@dataclass(frozen=True, eq=False, repr=False)
class TwoPartFit:
    """A fitted two-part model.

    The draws of the two parts are independent, so that the first draw of one goes with the first of
    the other. `diagnose`, `summary`, `shrinkage` and pictures take `rate` or `amount`; decisions
    (`prob_best`, `expected_loss`, `uplift`, ranks, ...) take the whole, and are about the revenue
    per customer; so does `predict`, which draws what single customers spend.

    Attributes
    ----------
    model : TwoPart
    data : TwoPartData
    rate : Fit
        Of who bought, over all customers.
    amount : Fit
        Of how much, over the buyers: of the groups that have some.

    Notes
    -----
    A group without buyers has an amount drawn from the population given each draw of ``mu`` and
    ``tau``, which is its exact posterior; under no pooling from the prior of ``theta``; under
    complete pooling it is everyone's.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"segment": list("aaaabbbbcc"),
    ...                       "spent": [0, 12, 0, 9, 0, 0, 0, 30, 0, 0]})
    >>> fit = hs.TwoPart().fit(frame, group="segment", outcome="spent", seed=1, engine="stanli")
    >>> fit.draws("mean").shape
    (4000, 3)
    >>> fit
    <TwoPartFit: partial pooling of 3 groups, lognormal amounts, 4 x 1,000 draws>
    """

    model: FittedTwoPart
    data: TwoPartData
    rate: Fit
    amount: Fit
    _kept: Kept = field(default_factory=dict, init=False)

    @property
    def groups(self) -> pd.Index:
        """The group labels, those without buyers included."""
        return self.data.groups

    @property
    def seed(self) -> int:
        """The seed given."""
        return self.rate.seed

    @property
    def prior_only(self) -> bool:
        """Whether the draws are from the prior, the outcomes ignored."""
        return self.rate.prior_only

    def draws(self, name: str = "mean") -> np.ndarray:
        """Return draws of every group's rate, mean amount, or mean revenue per customer.

        Parameters
        ----------
        name : {"mean", "rate", "amount"}

        Returns
        -------
        numpy.ndarray
            Of shape (S, J), chains concatenated.
        """
        if name not in QUANTITIES:
            raise HierstanError(
                f"A two-part fit has draws of {', '.join(QUANTITIES)}; got {name!r}. Those of "
                "parameters are in .rate.draws(...) and .amount.draws(...)."
            )
        return self.block(name)

    def means(self, *, prob: float | None = None) -> pd.DataFrame:
        """Summarise every group's revenue per customer.

        Parameters
        ----------
        prob : float, optional
            Probability of the equal-tailed intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            One line per group, indexed by its label (``group``): ``customers``, ``buyers``, ``raw``
            (revenue per customer); posterior means of the ``rate`` and of the mean ``amount`` per
            buyer; ``mean``, ``sd``, ``lower``, ``upper`` of the mean revenue per customer.

        Warns
        -----
        HierstanWarning
            If a mean is infinite under the priors given: ``amount``, ``mean`` and ``sd`` are then
            inf. An infinite ``sd`` alone is reported as such without a warning. Intervals always
            exist.
        """
        prob = check_prob(prob)
        table = self.data.table.copy()
        columns = ["rate", "amount", *group_summaries.COLUMNS]
        rates, amounts = np.empty(len(table)), np.empty(len(table))
        for part in self.parts():
            rates[part] = self.block("rate", groups=part).mean(axis=0)
            amounts[part] = self.block("amount", groups=part).mean(axis=0)
        amounts[[bool(reason) for reason in self.infinite(1)]] = np.inf
        table[columns] = np.column_stack([rates, amounts, self.summaries(prob)])
        table.attrs["caption"] = (
            f"Revenue per customer under {pooling_words(self.model.name)}: posterior mean, "
            f"standard deviation and equal-tailed {percent(prob)} interval; "
            "raw is revenue over customers."
        )
        return answer(table, self.data.columns["group"])

    def summaries(self, prob: float, scale: str = "response") -> pd.DataFrame:
        """Summarise the mean revenue per customer, or its logarithm on the link scale.

        Returns
        -------
        pandas.DataFrame
            ``mean``, ``sd``, ``lower``, ``upper``, one line per group.

        Warns
        -----
        HierstanWarning
            If a mean is infinite under the priors given.
        """
        found = np.empty((4, len(self.groups)))
        log = scale == "link" and self.logarithmic
        for part in self.parts():
            found[:, part] = group_summaries.summarise(
                self.block("mean", groups=part, log=log), prob
            )
        columns = dict(zip(group_summaries.COLUMNS, found, strict=True))
        table = pd.DataFrame(columns, index=self.groups)
        if log:
            return table
        table.loc[[bool(reason) for reason in self.infinite(2)], "sd"] = np.inf
        reasons = [bool(reason) for reason in self.infinite(1)]
        if any(reasons):
            table.loc[reasons, ["mean", "sd"]] = np.inf
            warn(f"{self.why_infinite()}, so they are given as inf. The intervals hold. {CURE}")
        return table

    def raw(self, scale: str = "response") -> pd.DataFrame:
        """Return what the data alone say of each group's revenue per customer.

        Returns
        -------
        pandas.DataFrame
            ``raw`` and ``raw_se``, one line per group; without buyers, the second is missing. The
            standard error is that of a product of two independent estimates, to first order.
        """
        rates, raw = raw_estimates(self.data.rate), self.data.table["raw"].to_numpy(float)
        buyers = self.data.table["buyers"].to_numpy()
        of_amount = np.full(len(raw), np.nan)
        of_amount[buyers > 0] = raw_estimates(self.data.amount)["link_se"]
        share = (rates["raw_se"] / rates["raw"].where(rates["raw"] > 0)).to_numpy(float)
        if not self.logarithmic:
            error = np.hypot(raw * share, rates["raw"].to_numpy(float) * of_amount)
            return pd.DataFrame({"raw": raw, "raw_se": error}, index=self.groups)
        relative = np.hypot(share, of_amount)
        with np.errstate(divide="ignore"):  # no revenue at all
            values = (np.log(raw), relative) if scale == "link" else (raw, raw * relative)
        return pd.DataFrame(dict(zip(("raw", "raw_se"), values, strict=True)), index=self.groups)

    def block(
        self,
        name: str,
        *,
        draws: slice = slice(None),
        groups: slice = slice(None),
        log: bool = False,
    ) -> np.ndarray:
        """Return some draws of some groups, (s, k); `log` for their logarithms."""
        log_rate, amount = np.zeros(()), None
        if name != "amount":
            log_rate = -np.logaddexp(0, -self.rate.theta(groups, draws))
        if name != "rate":
            amount = self._amount(draws, groups)
        if amount is not None and self.logarithmic:
            log_rate, amount = log_rate + amount, None
        if amount is None:
            return log_rate if log else np.exp(np.minimum(log_rate, 700))
        return np.exp(log_rate) * amount  # which may be below 0, and has no logarithm

    @property
    def logarithmic(self) -> bool:
        """Whether the link scale of the revenue is that of its logarithm; else its own."""
        return bool(self.amount.family.link == "log")

    def parts(self) -> Iterator[slice]:
        """Yield the groups a few at a time, so that memory stays bounded."""
        sizes = self.rate.arrays.sizes
        S, J = sizes["chain"] * sizes["draw"], len(self.groups)
        step = max(1, group_summaries.BLOCK // S)
        yield from (slice(start, min(start + step, J)) for start in range(0, J, step))

    def infinite(self, order: int = 1) -> list[str]:
        """Name for each group the prior that makes a moment of its mean infinite, or nothing."""
        return once(self, (infinite_because, order), lambda: self._infinite(order))

    def why_infinite(self) -> str:
        """Say which mean revenues are infinite and why; nothing if none is."""
        reasons = self.infinite(1)
        guilty = [label for label, because in zip(self.groups, reasons, strict=True) if because]
        if not guilty:
            return ""
        priors = " and ".join(dict.fromkeys(because for because in reasons if because))
        which = (
            f"all {len(reasons):,} groups"
            if len(guilty) == len(reasons)
            else f"{len(guilty):,} of {len(reasons):,} groups ({listed(guilty)})"
        )
        return f"The expected amounts of {which} are infinite under the prior {priors}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write both parts to one netCDF file; `hierstan.load` reads it.

        Parameters
        ----------
        path : path-like
            An existing file is replaced once the new one is complete.

        Raises
        ------
        HierstanError
            As of `Fit.save`.

        Examples
        --------
        >>> import tempfile
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"segment": list("aaaabbbbcc"),
        ...                       "spent": [0, 12, 0, 9, 0, 0, 0, 30, 0, 0]})
        >>> fit = hs.TwoPart().fit(frame, group="segment", outcome="spent", seed=1, engine="stanli")
        >>> path = f"{tempfile.mkdtemp()}/fit.nc"
        >>> fit.save(path)
        >>> str(hs.load(path)) == str(fit)
        True
        """
        given = self.model.priors
        record = {
            "raw": self.data.table["raw"].tolist(),
            "priors": None
            if given is None
            else {part: records.from_priors(own) for part, own in given.items()},
        }
        trees = {"rate": self.rate.packed(), "amount": self.amount.packed()}
        file.write(path, file.packed_parts(trees, record))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": {}}

    def _infinite(self, order: int) -> list[str]:
        buyers = self.data.table["buyers"].tolist()
        because = {
            n: infinite_because(self.amount, order=order, rows=n, of="mean") for n in set(buyers)
        }
        return [because[n] for n in buyers]

    def _amount(self, draws: slice, groups: slice) -> np.ndarray:
        """Return mean amounts or their logarithms, drawn from the population without buyers."""
        bought = (self.data.table["buyers"] > 0).to_numpy()
        drawn = once(
            self,
            (new_means,),
            lambda: new_means(self.amount, int((~bought).sum()), self.amount.seed),
        )
        place = np.where(bought, np.cumsum(bought), np.cumsum(~bought))[groups] - 1
        bought = bought[groups]
        absent = drawn[draws]
        result = np.empty((len(absent), len(place)))
        result[:, bought] = self.amount.theta(place[bought], draws)
        result[:, ~bought] = absent[:, place[~bought]]
        family = self.amount.family
        own = {name: self.amount.draws(name)[draws, None] for name in family.parameters}
        result += family.mean_offset(own)
        return result

    def __repr__(self) -> str:
        options = self.rate.options
        return (
            f"<TwoPartFit: {pooling_words(self.model.name)} of {len(self.groups):,} groups, "
            f"{self.data.amount.family} amounts, {options['chains']} x {options['draws']:,} draws>"
        )

    def __str__(self) -> str:
        return _page(self).text()

    def _repr_html_(self) -> str:
        return _page(self).html()


# internals ------------------------------------------------------------------------------------


def _page(fit: TwoPartFit) -> Page:
    facts = [("Data", describe(fit.data))]
    for name, part in (("Rate", fit.rate), ("Amount", fit.amount)):
        own = dict(portrait.page(part, rows=0).facts)
        facts += [
            (name, part.family.words),
            ("  priors", ", ".join(f"{key} ~ {prior}" for key, prior in part.priors.items())),
            (
                "  trust",
                own["Trust"].replace("hs.diagnose(fit)", f"hs.diagnose(fit.{name.lower()})"),
            ),
            *([("  model", own["Model"].replace("family=", "amounts="))] if "Model" in own else []),
        ]
    if reason := fit.why_infinite():
        facts.append(("Warning", f"{reason}. {CURE}"))
    if words := too_narrow(fit.amount, int(fit.data.table["buyers"].sum())):
        facts.append(("Caution", words))
    title = f"Two parts, {pooling_words(fit.model.name)} of both: who buys, and how much"
    return Page(title, tuple(facts), (_table(fit),), (interval_words(),))


def _table(fit: TwoPartFit) -> Table:
    size = len(fit.groups)
    shown = size if size <= ROWS_SHOWN + 1 else ROWS_SHOWN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)  # the page says it in words
        means = fit.means().head(shown)
    decimals, rates = places(means["sd"]), 100 * means["rate"].to_numpy()
    cells = [
        plain_labels(fit.groups)[:shown],
        [f"{n:,}" for n in means["customers"]],
        [f"{n:,}" for n in means["buyers"]],
        [f"{rate}%" for rate in numbers(rates, places(rates))],
        *(
            numbers(means[column].to_numpy(), decimals)
            for column in ("amount", "raw", *group_summaries.COLUMNS)
        ),
    ]
    header = (
        fit.data.grouped_by,
        "customers",
        "buyers",
        "rate",
        "amount",
        "raw",
        *group_summaries.COLUMNS,
    )
    more = f"… and {size - shown:,} more, see fit.means()" if shown < size else ""
    return Table(header, tuple(zip(*cells, strict=True)), more, align="<>>" + "." * 7)

"""TwoPart: whether a customer buys, and how much; with pooling in both parts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.data.two_part import take, take_totals
from hierstan.errors import DataError, PriorError
from hierstan.families import FAMILIES, accepted_by, default
from hierstan.fit.two_part import TwoPartFit
from hierstan.models.pooling import Pooling, RunOptions
from hierstan.models.poolings import CompletePooling, NoPooling, PartialPooling
from hierstan.priors import HalfNormal, Prior, TruncatedNormal
from hierstan.text.wording import did_you_mean, show

AMOUNTS = sorted(
    name
    for name in accepted_by("rows")
    if FAMILIES[name].columns["y"] == "real" and not FAMILIES[name].of_group
)
AUTO = "auto"
PARTS = ("rate", "amount")
POOLINGS: tuple[type[Pooling], ...] = (CompletePooling, NoPooling, PartialPooling)

# On the log scale. Mean and variance are finite for any data, for groups without a buyer too: see
# hierstan.fit.infinite_means.
# They need scales below 1 / 2 and, of sigma, below 1 / sqrt(2). Where sigma lies is up to the data:
# around 0 the prior would hold that of heavy tails, and with it the mean, far below.
TAU, SIGMA_SCALE = HalfNormal(0.45), 0.5


@dataclass(frozen=True, eq=False)
class TwoPart:
    """A two-part model: each customer buys or does not, and buyers spend an amount.

    ``bought ~ bernoulli(rate[group])`` over all customers, ``amount ~ gamma`` or the like around
    the mean of the group over the buyers, and the revenue per customer of a group is its rate times
    its mean amount.

    Parameters
    ----------
    amounts : {"auto", "lognormal", "gamma", "normal", "student_t"}
        The family of what buyers spend. "auto" takes lognormal, unless the amounts are clearly
        likelier under gamma, whose lighter tail makes intervals too narrow where amounts have a
        heavy one; of totals it takes normal. The last two allow amounts below 0 too, such as
        refunds: a buyer is then whoever spent something other than 0. Under normal the mean of a
        group is that of its buyers, whatever their distribution, with an error that is right where
        they are many; Student's t passes over outliers, and is right where amounts lie evenly about
        their mean. Revenue of few buyers with a long tail wants lognormal.
    pooling : type
        `PartialPooling`, `NoPooling` or `CompletePooling`, of both parts.
    priors : mapping, optional
        By part and parameter: ``{"rate": {"tau": hs.HalfNormal(0.5)}, "amount": {...}}``.

    Notes
    -----
    The likelihood is a product of one factor for who bought and one for how much, and the priors of
    the two parts are independent. So is the posterior, and two separate fits are exact. The one
    assumption in this is that a group's rate says nothing about its amounts.

    The default priors are those of the families, but for the spread of amounts above 0: ``tau ~
    HalfNormal(0.45)`` between the groups and, of lognormal amounts, ``sigma ~ TruncatedNormal(s,
    0.5)`` within them, both on the log scale, with `s` the standard deviation of the logarithms of
    all amounts. They are as wide as leaves the mean and the variance of every group's revenue
    finite, whatever the data. Where more spread is expected than they allow, a `Uniform` from 0
    does too. With amounts as heavy-tailed as a log-sd of 2 and few buyers in all, 90% intervals
    hold less: 74% to 85% with up to 10 buyers, 85% to 90% with up to 30. The fit says so.

    References
    ----------
    Duan, Manning, Morris and Newhouse 1983, doi:10.1080/07350015.1983.10509330.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"segment": list("aaaabbbbcc"),
    ...                       "spent": [0, 12, 0, 9, 0, 0, 0, 30, 0, 0]})
    >>> model = hs.TwoPart(amounts="gamma")
    >>> model.name
    'partial'
    >>> fit = model.fit(frame, group="segment", outcome="spent", seed=1, engine="stanli")
    >>> fit.means()[["customers", "buyers", "raw"]].loc["b"].tolist()
    [4.0, 1.0, 7.5]
    >>> hs.prob_best(fit).index.tolist()
    ['a', 'b', 'c']
    """

    amounts: str = AUTO
    pooling: type[Pooling] = PartialPooling
    priors: Mapping[str, Mapping[str, Prior]] | None = None

    def __post_init__(self) -> None:
        if self.amounts not in (AUTO, *AMOUNTS):
            raise DataError(
                f"amounts= must be {' or '.join([AUTO, *AMOUNTS])}; got {show(self.amounts)}."
                f"{did_you_mean(self.amounts, AMOUNTS)}"
            )
        if self.pooling not in POOLINGS:
            names = ", ".join(f"hs.{cls.__name__}" for cls in POOLINGS)
            raise PriorError(
                f"pooling= must be one of the classes {names}, without (); "
                f"got {show(self.pooling)}. Priors go into priors=."
            )
        unknown = [part for part in self.priors or {} if part not in PARTS]
        if unknown or not all(isinstance(given, Mapping) for given in (self.priors or {}).values()):
            raise PriorError(
                "priors= takes the priors of each part, such as "
                '{"rate": {"tau": hs.HalfNormal(0.5)}, "amount": {"tau": hs.HalfNormal(0.4)}}; '
                f"got {show(self.priors)}."
            )

    @property
    def name(self) -> str:
        """The pooling's name: "complete", "none" or "partial"."""
        return self.pooling.name

    @property
    def has_population(self) -> bool:
        """Whether the groups are of a population whose spread is estimated.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.TwoPart().has_population
        True
        """
        return self.pooling.has_population

    @property
    def shares_mean(self) -> bool:
        """Whether all groups have one mean.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.TwoPart().shares_mean
        False
        """
        return self.pooling.shares_mean

    @property
    def stands_alone(self) -> bool:
        """Whether each group learns nothing from the others.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.TwoPart().stands_alone
        False
        """
        return self.pooling.stands_alone

    def fit(
        self,
        frame: object,
        *,
        group: Hashable,
        outcome: Hashable | None = None,
        customers: Hashable | None = None,
        buyers: Hashable | None = None,
        revenue: Hashable | None = None,
        squares: Hashable | None = None,
        seed: int | None = None,
        **options: Unpack[RunOptions],
    ) -> TwoPartFit:
        """Fit both parts.

        Parameters
        ----------
        frame : dataframe
            One row per customer, in any of the dataframes that `GroupedData` takes; or one row per
            group, with totals.
        group, outcome : str
            The columns with the group's label and with what the customer spent: 0 for a customer
            who did not buy, or an amount, which is above 0 in the families of such.
        customers, buyers, revenue, squares : str
            In place of `outcome`, with normal amounts: the columns with the number of customers of
            a group, how many of them bought, the sum of what they spent, and of the squares of
            that.
        seed : int, optional
            Of the first part, from 1 to 2^31 - 1; that of the second is derived from it, so that
            the draws of the two are independent.
        **options
            As `PartialPooling.fit` takes them: ``chains``, ``warmup``, ``draws``, ``adapt_delta``,
            ``engine``, ``progress``, ``prior_only``.

        Returns
        -------
        TwoPartFit

        Raises
        ------
        DataError, PriorError, TemplateError, EngineError

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"segment": list("aaabbb"), "spent": [0, 12, 5, 0, 0, 30]})
        >>> model = hs.TwoPart("lognormal", pooling=hs.NoPooling)
        >>> model.fit(frame, group="segment", outcome="spent", seed=1, engine="stanli").rate
        <Fit: no pooling of 2 groups, bernoulli, 4 x 1,000 draws>

        Totals of each variant, refunds among them:

        >>> totals = pd.DataFrame({"variant": ["old", "new"], "seen": [900, 910],
        ...                        "orders": [40, 55], "net": [2100.0, 2705.0],
        ...                        "net2": [160000.0, 190000.0]})
        >>> found = hs.TwoPart("normal").fit(
        ...     totals, group="variant", customers="seen", buyers="orders", revenue="net",
        ...     squares="net2", seed=1, engine="stanli",
        ... )
        >>> found.means()["raw"].round(2).tolist()
        [2.33, 2.97]
        """
        _check_plain(group, options)
        totals = {"customers": customers, "buyers": buyers, "revenue": revenue, "squares": squares}
        given = {name: column for name, column in totals.items() if column is not None}
        if set(given) not in (set(), set(totals)) or bool(given) == (outcome is not None):
            raise DataError(
                "fit takes either outcome=, with one row per customer, or customers=, buyers=, "
                "revenue= and squares=, with one row per group."
            )
        if given:
            amounts = default("means") if self.amounts == AUTO else self.amounts
            data = take_totals(frame, group=group, amounts=amounts, **given)
        else:
            data = take(frame, group=group, outcome=outcome, amounts=self.candidates())
        if self.pooling is PartialPooling and len(data.amount.groups) == 1:
            raise DataError(
                f"Only group {show(data.amount.groups[0])} has buyers: from one group partial "
                "pooling cannot learn how much amounts differ (tau). Use "
                "pooling=hs.CompletePooling or hs.NoPooling, or data with more buyers."
            )
        rate = self._part("rate", data.rate).fit(data.rate, seed=seed, **options)
        other = int(np.random.SeedSequence([rate.seed, 2]).generate_state(1)[0] % (2**31 - 1)) + 1
        amount = self._part("amount", data.amount).fit(data.amount, seed=other, **options)
        model = replace(self, amounts=data.amount.family)
        return TwoPartFit(model=model, data=data, rate=rate, amount=amount)

    def candidates(self) -> list[str]:
        """Return the families that amounts may have, the heaviest tail first.

        Examples
        --------
        >>> import hierstan as hs
        >>> hs.TwoPart().candidates(), hs.TwoPart("gamma").candidates()
        (['lognormal', 'gamma'], ['gamma'])
        """
        if self.amounts != AUTO:
            return [self.amounts]
        positive = sorted((name for name in AMOUNTS if FAMILIES[name].positive), key=_lightness)
        given = set((self.priors or {}).get("amount", {})) - set(self.pooling.own_parameters)
        return [name for name in positive if given <= set(FAMILIES[name].parameters)] or positive

    def _part(self, part: str, data: GroupedData) -> Pooling:
        given = dict((self.priors or {}).get(part, {}))
        if part == "amount" and FAMILIES[data.family].link == "log":
            names = (*self.pooling.own_parameters, *FAMILIES[data.family].parameters)
            given = {name: p for name, p in amount_priors(data).items() if name in names} | given
        return self.pooling(priors=given)


def _check_plain(group: object, options: Mapping[str, object]) -> None:
    """Refuse groups that have structure, and say how to fit them."""
    given = [f"{name}=" for name in ("factors", "predictors") if options.get(name)]
    given = ["group= as a list"] * isinstance(group, list | tuple) + given
    if given:
        raise DataError(
            f"TwoPart takes groups of one column without structure; got {' and '.join(given)}. "
            "Join the columns of the groups into one; or fit the two parts one by one, which take "
            "structure: GroupedData.from_rows of whether each customer bought, with "
            "family='bernoulli', and of what the buyers spent, with family='lognormal'."
        )


def amount_priors(data: GroupedData) -> dict[str, Prior]:
    """Return the default priors of how much amounts above 0 vary, between groups and within.

    The second lies around 0 where no group has two different amounts.
    """
    family = FAMILIES[data.family]
    vary = np.isfinite(family.best_log_lik(data.cells))
    spread = family.location_scale(data.cells)[1] if vary else 0.0
    return {"tau": TAU, "sigma": TruncatedNormal(spread, SIGMA_SCALE)}


def _lightness(name: str) -> bool:
    """Whether the sum of amounts has all moments, as in gamma and not in lognormal."""
    return FAMILIES[name].additive

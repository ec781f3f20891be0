"""Whether the model makes data like those it was fitted to, in words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hierstan.fit.fit import Fit
from hierstan.fit.taken import check_fit
from hierstan.text.numbers import figure
from hierstan.text.tables import Page, Printed, Table
from hierstan.text.wording import pooling_words


@dataclass(frozen=True, eq=False, repr=False)
class Check(Printed):
    """What the model misses of the data.

    Attributes
    ----------
    ok : bool
        Whether it misses nothing that was looked at.
    messages : tuple of str
        What it misses, and which family would fit better.
    table : pandas.DataFrame
        One line per check: ``observed``, the mean of the ``replicated`` values, ``lower`` and
        ``upper`` (their 99% interval), ``p`` (posterior predictive p-value) and ``ok``.
    heading : str
        What was fitted.
    """

    ok: bool
    messages: tuple[str, ...]
    table: pd.DataFrame
    heading: str = ""

    def page(self) -> Page:
        """Return what is printed."""
        if self.table.empty:
            return Page(
                f"{self.heading}: nothing to check. The groups are few, and hold nothing that this "
                "family could miss, as where each has one row."
            )
        verdict = "the data look like the model's" if self.ok else "the model misses something"
        facts = tuple((f"{number}.", text) for number, text in enumerate(self.messages, 1))
        rows = tuple(
            (
                str(check),
                *(figure(line[name]) for name in ("observed", "replicated", "lower", "upper")),
                f"{line['p']:.3f}",
                "ok" if line["ok"] else "NOT OK",
            )
            for check, line in self.table.iterrows()
        )
        header = ("check", "observed", "replicated", "0.5%", "99.5%", "p", "")
        table = Table(header, rows, align="<.....<", longest=None)
        return Page(f"{self.heading}: {verdict}.", facts, (table,))


def check(fit: Fit) -> Check:
    """Check what the model may miss of the data, by data replicated from its posterior.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Check
        ``.ok``, ``.messages`` and ``.table``; prints as a short report. `diagnose` and the page of
        a fit tell the messages too.

    Raises
    ------
    HierstanError
        If `fit` is not a fit, or one of the prior alone.

    Notes
    -----
    Within groups, each family looks at what it may get wrong: counts and successes at their
    variance, counts at their zeros and whether these stand apart, rows at unequal variances
    (Bartlett's statistic), tails (kurtosis) and skewness (or rows below the mean of their group),
    ratings at unequal variances of their scores; all around the groups' own means.
    Between groups, partial pooling of five groups or more looks at the one farthest from the
    population of the others, on the link scale. A check fails where its posterior predictive
    p-value is below 0.005 (Gelman, Meng and Stern 1996, *Statistica Sinica* 6, 733-807). Rows of
    more than 20,000, reduced to summaries, are not looked at.

    Examples
    --------
    >>> import hierstan as hs
    >>> import numpy as np, pandas as pd
    >>> y = np.random.default_rng(1).negative_binomial(1, 0.2, size=200)
    >>> frame = pd.DataFrame({"shop": np.repeat(list("abcd"), 50), "visits": y})
    >>> data = hs.GroupedData.from_rows(frame, group="shop", outcome="visits", family="poisson")
    >>> found = hs.check(hs.PartialPooling().fit(data, seed=1, engine="stanli"))
    >>> found.ok, found.table.index[0]
    (False, 'variance within groups, relative')
    """
    check_fit(fit, "check")
    found = fit.checks()
    heading = f"{pooling_words(fit.model.name)} of {fit.data.family} data"
    return Check(
        ok=not found.messages,
        messages=found.messages,
        table=found.table,
        heading=heading[0].upper() + heading[1:],
    )

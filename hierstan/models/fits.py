"""Fits of several poolings to the same data, as one thing to look at."""

from __future__ import annotations

import numpy as np

from hierstan.fit.fit import Fit
from hierstan.fit.group_summaries import group_summaries
from hierstan.fit.settings import check_prob
from hierstan.text.tables import ROWS_SHOWN, Page, Table, numbers, places, plain_labels
from hierstan.text.wording import pooling_words


class Fits(dict[str, Fit]):
    """What `fit_poolings` returns: a dict of fits that prints their group means side by side.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fits = hs.fit_poolings(data, seed=1, engine="stanli")
    >>> print(str(fits).splitlines()[0])
    Complete, no and partial pooling of 8 groups, posterior means side by side
    """

    def __str__(self) -> str:
        return self._page().text()

    def __repr__(self) -> str:
        return str(self) if self else "Fits({})"

    def _repr_html_(self) -> str:
        return self._page().html()

    def _page(self) -> Page:
        fits = list(self.values())
        groups = fits[0].data.groups
        shown = len(groups) if len(groups) <= ROWS_SHOWN + 1 else ROWS_SHOWN
        tables = [group_summaries(fit, check_prob(None), "response")[:shown] for fit in fits]
        decimals = places(np.concatenate([table["sd"].to_numpy() for table in tables]))
        columns = [numbers(table["mean"].to_numpy(), decimals) for table in tables]
        rows = zip(plain_labels(groups)[:shown], *columns, strict=True)
        more = f"… and {len(groups) - shown:,} more" if shown < len(groups) else ""
        header = (str(fits[0].data.grouped_by), *map(pooling_words, self))
        problems = {name: len(fit.judgement().problems) for name, fit in self.items()}
        trusted = "yes, all" if not any(problems.values()) else "NOT YET: "
        trusted += ", ".join(f"{name} ({count})" for name, count in problems.items() if count)
        facts = (
            ("Trust", trusted),
            ("Next", 'hs.compare(fits) says which one the data support; fits["partial"] is one.'),
        )
        names = " and".join(", ".join(name for name in self).replace("none", "no").rsplit(",", 1))
        title = f"{names} pooling of {len(groups):,} groups, posterior means side by side"
        return Page(title[0].upper() + title[1:], facts, (Table(header, tuple(rows), more),))

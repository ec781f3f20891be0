"""What customers not yet seen will spend: whether they buy, times how much."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from hierstan.answers.prediction import design, seeds
from hierstan.answers.prediction.prediction import Prediction, forecast
from hierstan.engines import MAX_SEED
from hierstan.fit import group_summaries
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.answer import answer
from hierstan.text.tables import percent
from hierstan.text.wording import pooling_words


def forecast_both(
    fit: TwoPartFit,
    *,
    groups: Sequence[Hashable] | None,
    new_groups: int | Sequence[Hashable],
    rows: object,
    prob: float,
    seed: int | None,
) -> Prediction:
    """Draw what new customers spend; see `hierstan.predict`.

    The posteriors of the parts are independent, and so are their draws. Amounts of a group that has
    no buyers yet are those of a new one.
    """
    who = design.plan(
        fit.rate, groups=groups, new_groups=new_groups, rows=rows, given={"trials": 1}
    )
    seed = seeds.next_seed(fit.rate, who) if seed is None else seed
    bought = forecast(fit.rate, who, prob, seed)
    times = who.labels.value_counts(sort=False)
    known = times.index.isin(fit.amount.data.groups)
    what = design.plan(
        fit.amount,
        groups=times.index[known].tolist(),
        new_groups=times.index[~known].tolist(),
        rows=times,
    )
    paid = forecast(fit.amount, what, prob, seed % MAX_SEED + 1)
    order = np.empty(len(who.labels), dtype=int)  # of the lines of one part among the other's
    order[np.argsort(what.labels.unique().get_indexer(who.labels), kind="stable")] = np.arange(
        len(order)
    )
    spent = bought.draws * paid.draws.to_numpy()[..., order]
    values = group_summaries.summarise(spent.to_numpy().reshape(-1, len(order)), prob)
    table = pd.DataFrame(dict(zip(group_summaries.COLUMNS, values, strict=True)), index=who.labels)
    ends = paid.summary[["mean", "sd"]].to_numpy()[order]
    table[["mean", "sd"]] = np.where(np.isinf(ends), np.inf, table[["mean", "sd"]])
    table.attrs["caption"] = (
        f"Prediction of what single customers spend by {pooling_words(fit.model.name)} of both "
        f"parts: mean, standard deviation and equal-tailed {percent(prob)} interval"
    )
    table.attrs |= {key: words for key, words in paid.summary.attrs.items() if key == "advice"}
    told = answer(table, fit.data.columns.get("group"))
    return Prediction(spent, told, bought.design[["new"]], prob, fit, seed)

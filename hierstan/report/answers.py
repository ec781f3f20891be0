"""The answers as tables of a page, section by section."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hierstan.answers.comparison.comparison import Comparison
from hierstan.answers.decisions.best_group import prob_best
from hierstan.answers.decisions.ranks import rank_intervals
from hierstan.answers.diagnose import Diagnosis
from hierstan.answers.differences.coefficients import coefficients
from hierstan.answers.differences.components import Components, effects
from hierstan.answers.differences.heterogeneity import Heterogeneity
from hierstan.answers.differences.shrinkage import group_means
from hierstan.fit.fit import Fit
from hierstan.fit.group_summaries import COLUMNS
from hierstan.fit.judgement import DEPTH
from hierstan.report.grid import MOST_ROWS, Grid, column, estimates, group_grid, text_of
from hierstan.text.tables import numbers, percent, places, plain_labels

POOLINGS = {"complete": "complete pooling", "none": "no pooling", "partial": "partial pooling"}
LINKS = {"identity": "", "logit": ", in log-odds", "log": ", as a logarithm"}
COUNTED = {"n": "observations"}


def name_of(name: str, fit: Fit) -> str:
    """Return what to call a fit: its pooling, unless the user calls it something else."""
    return POOLINGS[name] if name == fit.model.name else text_of(name)


def data_grid(fit: Fit) -> Grid:
    """Tabulate what each group says on its own."""
    frame = fit.data.to_frame()
    if (frame["n"] == 1).all():
        frame = frame.drop(columns="n")
    columns = {COUNTED.get(name, name): column(frame[name]) for name in map(str, frame.columns)}
    return group_grid(fit.data, "data", "The data, one line per group", columns)


def trust_grid(fits: Mapping[str, Fit], found: Mapping[str, Diagnosis]) -> Grid:
    """Tabulate the checks of the draws, a line per fit."""
    table = next(iter(found.values())).table
    header = [
        "fit",
        *(f"{check} ({row['rule']} {row['limit']:,g})" for check, row in _lines(table)),
    ]
    rows = tuple(
        (name_of(name, fits[name]), *(_checked(check, row) for check, row in _lines(one.table)))
        for name, one in found.items()
    )
    return Grid("checks", "Checks of the draws: the worst value of each fit", tuple(header), rows)


def poolings_grid(fits: Mapping[str, Fit], ledger: pd.DataFrame, prob: float) -> Grid:
    """Tabulate every group's raw estimate beside its mean under each pooling."""
    fit = next(iter(fits.values()))
    decimals = _few(ledger)
    columns = {
        "raw": numbers(ledger["raw"].to_numpy(), decimals),
        "its se": numbers(ledger["raw_se"].to_numpy(), decimals),
    }
    for name, one in fits.items():
        columns[name_of(name, one)] = estimates(group_means(one, prob=prob), decimals)
    caption = (
        f"Each group's {fit.family.mean_words} under each pooling: posterior mean "
        f"[{percent(prob)} equal-tailed interval]"
    )
    return group_grid(fit.data, "poolings", caption, columns)


def comparison_grid(comparison: Comparison, fits: Mapping[str, Fit]) -> Grid:
    """Tabulate how well the fits predict."""
    table = comparison.table
    columns = {
        "elpd": numbers(table["elpd"].to_numpy(), 1),
        "standard error": numbers(table["se"].to_numpy(), 1),
        "difference from the best": numbers(table["elpd_diff"].to_numpy(), 1),
        "its standard error": numbers(table["dse"].to_numpy(), 1),
        "weight": numbers(table["weight"].to_numpy(), 2),
        "parameters in effect": numbers(table["p_loo"].to_numpy(), 1),
        "largest Pareto k": numbers(table["pareto_k"].to_numpy(), 2),
        "how computed": [str(method).replace("+", " and ") for method in table["method"]],
    }
    names = [name_of(name, fits[name]) for name in table.index]
    caption = (
        f"Leaving out one {comparison.unit} at a time: expected log predictive density (elpd; "
        "higher predicts better)"
    )
    rows = tuple(zip(names, *columns.values(), strict=True))
    return Grid("comparison", caption, ("fit", *columns), rows, frozenset({len(columns)}))


def shrinkage_grid(fit: Fit, ledger: pd.DataFrame, prob: float) -> Grid:
    """Tabulate what partial pooling did to each group."""
    decimals = _few(ledger)
    n = ledger["n"].to_numpy(float)
    lower, upper = percent((1 - prob) / 2), percent((1 + prob) / 2)
    columns = {
        **({} if (n == 1).all() else {str(ledger.attrs["unit"]): column(n)}),
        "raw": numbers(ledger["raw"].to_numpy(), decimals),
        "pooled": numbers(ledger["mean"].to_numpy(), decimals),
        "moved": numbers(ledger["moved"].to_numpy(), decimals),
        "sd": numbers(ledger["sd"].to_numpy(), decimals),
        lower: numbers(ledger["lower"].to_numpy(), decimals),
        upper: numbers(ledger["upper"].to_numpy(), decimals),
        "pooling factor": numbers(ledger["pooling_factor"].to_numpy(), 2),
        "borrowed": numbers(ledger["borrowed"].to_numpy(), 0 if np.median(n) >= 10 else 1),
    }
    caption = (
        f"From each group's raw {fit.family.mean_words} to the partially pooled one ({lower} and "
        f"{upper}: equal-tailed {percent(prob)} interval)"
    )
    return group_grid(fit.data, "shrinkage", caption, columns)


def spread_grid(fit: Fit, found: Heterogeneity, prob: float) -> Grid:
    """Tabulate how different the groups are."""
    words = {
        "tau": f"tau: standard deviation between groups{LINKS[fit.family.link]}",
        "i2": "I²: share of the variance of raw estimates that is between groups",
        "pooling_factor": "pooling factor of all groups together",
        "groups_borrowed": f"group means, of {len(fit.data.groups):,}, in effect borrowed",
        "new_group": f"{fit.family.mean_words} of a group not yet seen",
    }
    rows: list[tuple[str, ...]] = []
    for name, text in words.items():
        line = found.table.loc[name, ["mean", "sd", "lower", "upper"]].to_numpy(float)
        rows.append((text, *numbers(line, places(line[1]))))
    header = ("quantity", "mean", "sd", percent((1 - prob) / 2), percent((1 + prob) / 2))
    caption = f"Differences between groups: posterior and equal-tailed {percent(prob)} interval"
    return Grid("spread", caption, header, tuple(rows))


def slopes_grid(fit: Fit, prob: float) -> Grid:
    """Tabulate the slopes of the groups' predictors."""
    table = coefficients(fit, prob=prob)
    rows = [
        (str(name), *numbers(line[:4], places(line[1])), _share(line[4]))
        for name, *line in table[[*COLUMNS, "prob_positive"]].itertuples()
    ]
    ends = (percent((1 - prob) / 2), percent((1 + prob) / 2))
    share = table.attrs["explained"]["mean"]
    caption = (
        f"Change of a group's mean{LINKS[fit.family.link]} for one unit of a predictor; together "
        f"they explain {_share(share)} of the variance between groups"
    )
    return Grid("slopes", caption, ("predictor", "mean", "sd", *ends, "above 0"), tuple(rows))


def components_grid(found: Components) -> Grid:
    """Tabulate how much of the differences goes with each factor."""
    table = found.table
    decimals = places(table["sd"].max() / 10)
    rows = tuple(
        (text_of(name), *numbers(line[:3], decimals), *map(_share, line[3:6]))
        for name, line in zip(table.index, table.to_numpy(float), strict=True)
    )
    header = ("component", "sd", "from", "to", "share of the variance", "from", "to")
    return Grid("components", str(table.attrs["caption"]), header, rows)


def levels_grid(fit: Fit, number: int, prob: float) -> Grid:
    """Tabulate what each level of a factor adds, the first ones of very many."""
    factor = list(fit.data.levels)[number]
    table = effects(fit, factor, prob=prob)
    decimals = places(table["sd"])
    shown = table[:MOST_ROWS]
    rows = tuple(
        (text_of(label), *numbers(line[:4], decimals), *numbers(line[4:], 2))
        for label, line in zip(plain_labels(shown.index), shown.to_numpy(float), strict=True)
    )
    ends = (percent((1 - prob) / 2), percent((1 + prob) / 2))
    header = (text_of(factor), "adds", "sd", *ends, "pooling factor")
    more = f"The first {MOST_ROWS} of {len(table):,} levels." if len(table) > MOST_ROWS else ""
    caption = text_of(str(table.attrs["caption"]), None)
    return Grid(f"levels-{number}", caption, header, rows, more=more)


def rank_grid(fit: Fit, prob: float) -> Grid:
    """Tabulate which groups are highest and lowest, the highest first."""
    ranks = rank_intervals(fit, prob=prob)
    order = np.argsort(ranks["mean"].to_numpy(), kind="stable")
    ranks = ranks.iloc[order]
    shares = {
        "probability of being highest": prob_best(fit),
        "probability of being lowest": prob_best(fit, larger_is_better=False),
    }
    columns = {
        "expected rank": numbers(ranks["mean"].to_numpy(), 1),
        f"{percent(prob)} interval": [
            f"{low:,.0f} to {high:,.0f}"
            for low, high in zip(ranks["lower"], ranks["upper"], strict=True)
        ],
        **{name: [_share(float(p)) for p in share.iloc[order]] for name, share in shares.items()},
    }
    caption = f"Ranks of the groups by their {fit.family.mean_words}, 1 being the highest"
    return group_grid(fit.data, "ranks", caption, columns, order=ranks.index.tolist())


def decision_grid(fit: Fit, table: pd.DataFrame) -> Grid:
    """Tabulate what choosing each group would mean, the best choice first."""
    decimals = max(places((table["upper"] - table["lower"]).to_numpy() / 3.3) - 1, 0)
    shares = {
        "prob_best": "probability of being best",
        "prob_better": "probability of being better",
    }
    columns: dict[str, list[str]] = {}
    for name in map(str, table.columns):
        values = table[name]
        if name == "verdict":
            columns[name] = [str(value) for value in values]
        elif name in shares:
            columns[shares[name]] = [_share(float(value)) for value in values]
        elif name == "n":
            columns["data"] = column(values)
        else:
            columns[name.replace("_", " ")] = numbers(values.to_numpy(float), decimals)
    caption = str(table.attrs["caption"])
    order = table.index.tolist()
    return group_grid(fit.data, "decisions", caption, columns, words=["verdict"], order=order)


def priors_grid(fits: Mapping[str, Fit]) -> Grid:
    """Tabulate the priors as used."""
    rows = []
    for name, fit in fits.items():
        given = fit.model.priors or {}
        for parameter, prior in fit.priors.items():
            source = "given" if parameter in given else "default"
            rows.append((name_of(name, fit), parameter, str(prior), source))
    header = ("fit", "parameter", "prior", "from")
    return Grid("priors", "Priors as used", header, tuple(rows), frozenset({1, 2, 3}))


# internals ------------------------------------------------------------------------------------


def _lines(table: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(str(check), row) for check, row in table.iterrows()]


def _checked(check: str, row: pd.Series) -> str:
    decimals = {"R-hat": 3, "E-BFMI": 2, DEPTH: 3}.get(check, 0)
    text = numbers([float(row["worst"])], decimals)[0]
    return text if row["ok"] else f"{text} (not ok)"


def _few(ledger: pd.DataFrame) -> int:
    """Return decimals for tables that are read across: one fewer than the draws would allow."""
    return max(places(ledger["sd"]) - 1, 0)


def _share(value: float) -> str:
    return "<1%" if 0 < value < 0.005 else ">99%" if 0.995 < value < 1 else f"{value:.0%}"

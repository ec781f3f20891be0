"""The answers as tables of a page: what the data say, and what each pooling makes of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from hierstan.answers.comparison.comparison import Comparison
from hierstan.answers.comparison.prior_sensitivity import PriorSensitivity
from hierstan.answers.diagnose import Diagnosis
from hierstan.answers.differences.shrinkage import group_means
from hierstan.fit.fit import Fit
from hierstan.fit.judgement import DEPTH
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots.groups import group_word, outcome_family
from hierstan.report.grid import Grid, column, estimates, group_grid, in_units, text_of, what
from hierstan.report.subject import Part, Whole, name_of
from hierstan.text.answer import tables_of
from hierstan.text.tables import numbers, percent, places


def data_grid(fit: Whole) -> Grid:
    """Tabulate what each group says on its own, in the user's words."""
    if isinstance(fit, TwoPartFit):
        table, names = fit.data.table, {"raw": what(fit)}
    else:
        table = fit.data.to_frame()
        if (table["n"] == 1).all():
            table = table.drop(columns="n")
        names = {"n": "observations", "rate": what(fit)}
        if outcome_family(fit.data).shares:
            rates = [name for name in map(str, table) if name.partition("_")[0] == "rate"]
            table = table.assign(**{name: 100 * table[name] for name in rates})
            names = {name: f"{name.replace('_', ' ')} (%)" for name in rates} | names
    columns: dict[str, list[str]] = {}
    for role, values in table.items():  # a category, of ratings, may be a number
        name = names.get(str(role)) or column_of(fit, str(role))
        columns[f"{name} ({role})" if name in columns else name] = column(values)
    return group_grid(fit.data, "data", "The data, one line per group", columns)


def column_of(fit: Whole, role: str) -> str:
    """Return the user's column of a role, else what the role is called."""
    given: Mapping[str, Hashable] = fit.data.columns
    return text_of(given[role]) if role in given and role != "group" else role.replace("_", " ")


def trust_grid(runs: Sequence[tuple[str, Fit]], found: Sequence[Diagnosis]) -> Grid:
    """Tabulate the checks of the draws, a line per fit."""
    table = found[0].table
    header = [
        "fit",
        *(f"{check} ({row['rule']} {row['limit']:,g})" for check, row in _lines(table)),
    ]
    rows = tuple(
        (name, *(_checked(check, row) for check, row in _lines(one.table)))
        for (name, _), one in zip(runs, found, strict=True)
    )
    caption = "Checks of the draws: the worst value of each fit"
    return Grid("checks", caption, tuple(header), rows, whole=True)


def poolings_grid(fits: Mapping[str, Whole], ledger: pd.DataFrame, prob: float) -> Grid:
    """Tabulate every group's raw estimate beside its mean under each pooling."""
    fit = next(iter(fits.values()))
    ledger = in_units(fit, ledger)
    decimals = _few(ledger)
    columns = {
        "raw": numbers(ledger["raw"].to_numpy(), decimals),
        "its se": numbers(ledger["raw_se"].to_numpy(), decimals),
    }
    for name, one in fits.items():
        means = in_units(one, group_means(one, prob=prob))
        columns[name_of(name, one)] = estimates(means, decimals)
    caption = (
        f"{_capital(what(fit))} of each {group_word(fit.data)} under each pooling: posterior mean "
        f"[{percent(prob)} equal-tailed interval]"
    )
    return group_grid(fit.data, "poolings", caption, columns)


def comparison_grid(comparison: Comparison, part: Part) -> Grid:
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
    names = [name_of(name, part.fits[name]) for name in table.index]
    caption = (
        f"Leaving out one {comparison.unit} at a time: expected log predictive density (elpd; "
        "higher predicts better)"
    )
    rows = tuple(zip(names, *columns.values(), strict=True))
    words = frozenset({len(columns)})
    return Grid(f"comparison{part.key}", caption, ("fit", *columns), rows, words, whole=True)


def shrinkage_grid(fit: Whole, ledger: pd.DataFrame, prob: float) -> Grid:
    """Tabulate what partial pooling did to each group."""
    ledger = in_units(fit, ledger)
    decimals = _few(ledger)
    n = ledger["weight" if "weight" in ledger else "n"].to_numpy(float)
    lower, upper = percent((1 - prob) / 2), percent((1 + prob) / 2)
    factors = {
        name.replace("_", " "): numbers(ledger[name].to_numpy(), 2)
        for name in map(str, ledger)
        if name.startswith("pooling_factor")
    }
    columns = {
        **({} if (n == 1).all() else {column_of(fit, str(ledger.attrs["unit"])): column(n)}),
        "raw": numbers(ledger["raw"].to_numpy(), decimals),
        "pooled": numbers(ledger["mean"].to_numpy(), decimals),
        "moved": numbers(ledger["moved"].to_numpy(), decimals),
        "sd": numbers(ledger["sd"].to_numpy(), decimals),
        "lower": numbers(ledger["lower"].to_numpy(), decimals),
        "upper": numbers(ledger["upper"].to_numpy(), decimals),
        **factors,
    }
    if "borrowed" in ledger:
        borrowed = ledger["borrowed"].to_numpy()
        columns["borrowed"] = numbers(borrowed, 0 if np.median(n) >= 10 else 1)
    caption = (
        f"From the raw {what(fit)} of each {group_word(fit.data)} to the partially pooled one "
        f"(lower and upper: equal-tailed {percent(prob)} interval, from {lower} to {upper})"
    )
    return group_grid(fit.data, "shrinkage", caption, columns)


def sensitivity_grid(found: PriorSensitivity, key: str) -> Grid:
    """Tabulate what other priors of tau would have said."""
    table = tables_of(found.sweep, width=None)[0]
    header = ("prior of tau", *(head.replace("_", " ") for head in table.header[1:]))
    words = frozenset(i for i, how in enumerate(table.align) if i and how == "<")
    caption = "Under other priors of tau: its posterior mean and 90% interval, and what follows"
    return Grid(f"priors-of-tau{key}", caption, header, table.rows, words, whole=True)


def power_grid(power: pd.DataFrame, key: str) -> Grid:
    """Tabulate what slightly stronger and weaker priors and likelihoods would do."""
    rows = tuple(
        (str(name), *numbers(line[:2], 2), "" if line[2] == "✓" else str(line[2]))
        for name, *line in power.itertuples()
    )
    header = ("parameter", "moved by its prior", "moved by the data", "diagnosis")
    caption = "Power-scaling: what moves by more than 0.05 is sensitive"
    return Grid(f"power{key}", caption, header, rows, frozenset({3}), whole=True)


def priors_grid(runs: Sequence[tuple[str, Fit]]) -> Grid:
    """Tabulate the priors as used."""
    rows = []
    for name, fit in runs:
        given = fit.model.priors or {}
        for parameter, prior in fit.priors.items():
            source = "given" if parameter in given else "default"
            rows.append((name, parameter, str(prior), source))
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

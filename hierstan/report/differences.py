"""How different the groups are, as tables of a page."""

from __future__ import annotations

from hierstan.answers.differences.coefficients import coefficients
from hierstan.answers.differences.components import Components, effects
from hierstan.answers.differences.heterogeneity import Heterogeneity
from hierstan.fit.fit import Fit
from hierstan.fit.group_summaries import COLUMNS
from hierstan.plots.groups import group_word, mean_words, shares
from hierstan.report.grid import MOST_ROWS, Grid, percent_sign, text_of
from hierstan.text.numbers import share
from hierstan.text.tables import numbers, percent, places, places_of_line, plain_labels

FEW = 12  # levels, told in whole on a phone too
LINKS = {"identity": "", "logit": ", in log-odds", "log": ", as a logarithm"}


def spread_grid(fit: Fit, found: Heterogeneity, prob: float, key: str) -> Grid:
    """Tabulate how different the groups are."""
    words = {
        "tau": f"tau: standard deviation between groups{LINKS[fit.family.link]}",
        "i2": "I²: share of the variance of raw estimates that is between groups",
        "pooling_factor": "pooling factor of all groups together",
        "groups_borrowed": f"group means, of {len(fit.data.groups):,}, in effect borrowed",
        "new_group": f"{mean_words(fit, 'response')} of a new {group_word(fit.data)}"
        + percent_sign(fit),
    }
    rows: list[tuple[str, ...]] = []
    for name, text in words.items():
        line = found.table[list(COLUMNS)].T[name]
        line = line * (100 if name == "new_group" and shares(fit, "response") else 1)
        rows.append((text, *numbers(line.to_numpy(float), places_of_line(line))))
    header = ("quantity", *COLUMNS)
    caption = f"Differences between groups: posterior and equal-tailed {percent(prob)} interval"
    advice = str(found.table.attrs.get("advice", ""))
    return Grid(f"spread{key}", caption, header, tuple(rows), more=advice, whole=True)


def slopes_grid(fit: Fit, prob: float) -> Grid:
    """Tabulate the slopes of the groups' predictors."""
    table = coefficients(fit, prob=prob)
    rows = [
        (str(name), *numbers(line[:4], places(line[1])), share(line[4]))
        for name, *line in table[[*COLUMNS, "prob_positive"]].itertuples()
    ]
    explained = share(table.attrs["explained"]["mean"])
    caption = (
        f"Change of a group's mean{LINKS[fit.family.link]} for one unit of a predictor; together "
        f"they explain {explained} of the variance between groups"
    )
    return Grid("slopes", caption, ("predictor", *COLUMNS, "above 0"), tuple(rows), whole=True)


def components_grid(found: Components) -> Grid:
    """Tabulate how much of the differences goes with each factor."""
    table = found.table
    decimals = places(table["sd"].max() / 10)
    rows = tuple(
        (text_of(name), *numbers(line[:3], decimals), *map(share, line[3:6]))
        for name, line in zip(table.index, table.to_numpy(float), strict=True)
    )
    header = (
        "component",
        "sd",
        "its lower",
        "its upper",
        "share of the variance",
        "its lower",
        "its upper",
    )
    return Grid("components", str(table.attrs["caption"]), header, rows, whole=True)


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
    header = (text_of(factor), "adds", *COLUMNS[1:], "pooling factor")
    more = f"The first {MOST_ROWS} of {len(table):,} levels." if len(table) > MOST_ROWS else ""
    caption = text_of(str(table.attrs["caption"]), None)
    return Grid(f"levels-{number}", caption, header, rows, more=more, whole=len(rows) <= FEW)

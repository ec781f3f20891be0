"""What the numbers of `convergence` mean, in words: what is wrong and what to do next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.engines import MAX_TREE_DEPTH
from hierstan.fit import cures
from hierstan.fit.cures import Setup
from hierstan.sampling.convergence import (
    MAX_AT_DEPTH,
    MAX_R_HAT,
    MIN_DRAWS,
    MIN_E_BFMI,
    MIN_ESS_PER_CHAIN,
    Convergence,
    max_r_hat,
)
from hierstan.text.numbers import figure
from hierstan.text.tables import percent

STUCK_R_HAT = 1.1  # above it, chains are in different places rather than not long enough
DEPTH = f"share at depth {MAX_TREE_DEPTH}"
MOST_DRAWS = 20_000  # beyond it, more draws are not the cure


@dataclass(frozen=True)
class Judgement:
    """Whether to trust the draws.

    Attributes
    ----------
    problems : tuple of str
        Each says what is wrong and what to do next; none if the draws can be trusted.
    notes : tuple of str
        What to know about draws that are valid nevertheless.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def judge(found: Convergence, setup: Setup) -> Judgement:
    """Put what was found into words."""
    checks = (_too_short, _stuck, _divergences, _r_hat, _ess, _e_bfmi)
    problems = tuple(text for check in checks if (text := check(found, setup)))
    notes = tuple(
        text for note in (_depth, _single_chain, _one_row_each) if (text := note(found, setup))
    )
    return Judgement(problems, notes)


def headline(found: Convergence) -> str:
    """Return the worst numbers in one line."""
    table = found.parameters
    n = found.divergences
    ess = min(table["ess_bulk"].min(), table["ess_tail"].min())
    diverged = f"{n:,} divergence{'s' * (n != 1)}" if n else "no divergences"
    if found.draws < MIN_DRAWS:
        return f"too few draws for R-hat and ESS, {diverged}"
    return f"R-hat at most {table['r_hat'].max():.3f}, ESS at least {ess:,.0f}, {diverged}"


def check_table(found: Convergence) -> pd.DataFrame:
    """Return one line per check: the worst value, where it is, the limit and whether it is met."""
    table = found.parameters
    least = MIN_ESS_PER_CHAIN * found.chains
    most = max_r_hat(len(table), found.chains)
    lines = [
        ("R-hat", *_extreme(table["r_hat"], "max"), "at most", most),
        ("bulk ESS", *_extreme(table["ess_bulk"], "min"), "at least", least),
        ("tail ESS", *_extreme(table["ess_tail"], "min"), "at least", least),
        ("divergences", found.divergences, "", "at most", 0),
        ("E-BFMI", float(np.min(found.e_bfmi)), "", "at least", MIN_E_BFMI),
        (DEPTH, found.at_depth, "", "at most", MAX_AT_DEPTH),
    ]
    frame = pd.DataFrame(lines, columns=["check", "worst", "where", "rule", "limit"])
    below, above = frame["worst"] <= frame["limit"], frame["worst"] >= frame["limit"]
    frame["ok"] = np.where(frame["rule"] == "at most", below, above)
    return frame.set_index("check")


# what can be wrong ------------------------------------------------------------------------------


def _too_short(found: Convergence, setup: Setup) -> str:
    if found.draws >= MIN_DRAWS:
        return ""
    return (
        f"R-hat and effective sample sizes take at least {MIN_DRAWS} draws in each chain, there "
        f"are {found.draws}. Draw more: draws=1000."
    )


def _stuck(found: Convergence, setup: Setup) -> str:
    own = found.parameters[found.parameters["variable"].isin(setup.own)]
    still = own[own["r_hat"].isna()]  # nothing varies, within chains or between them
    if still.empty or found.draws < MIN_DRAWS:
        return ""
    return (
        f"{_names(still)} did not move: every draw is {figure(still['mean'].iloc[0], 4)}. These "
        f"draws cannot be used. Fit with another seed and warmup={cures.more(setup.warmup)}; "
        "if that changes nothing, look at the priors and at an edited template."
    )


def _divergences(found: Convergence, setup: Setup) -> str:
    n = found.divergences
    if n == 0:
        return ""
    total = found.chains * found.draws
    where = (
        ", most often where tau is close to 0, so that part of the posterior may be missing"
        if setup.pooling == "partial"
        else ", so that part of it may be missing"
    )
    many = f"{n:,} of {total:,} transitions ({percent(_short(n / total))})"
    what = "the prior" if setup.prior_only else "the posterior"
    cure = cures.against_divergences(setup)
    return f"{many} diverged: the sampler could not follow {what}{where}. {cure}"


def _r_hat(found: Convergence, setup: Setup) -> str:
    table = found.parameters
    if not (table["r_hat"] > MAX_R_HAT).any():
        return ""
    most = max_r_hat(len(table), found.chains)
    bad = table[table["r_hat"] > most]
    if bad.empty:
        return ""
    worst = bad["r_hat"].idxmax()
    value = bad["r_hat"].max()
    parts = "chains" if found.chains > 1 else "two halves of the chain"
    start = f"R-hat is above {most} for {_share(bad, table)}"
    start += f" ({value:.2f})" if len(bad) == 1 else f", most for {worst} ({value:.2f})"
    start += f": the {parts} "
    longer = f"warmup={cures.more(setup.warmup)}, draws={cures.more(found.draws)}"
    if value <= STUCK_R_HAT:
        steps = (f"draw longer ({longer})", cures.other_parameterization(setup))
        return start + "do not agree well enough. " + cures.in_turn(*steps)
    means = ", ".join(figure(mean) for mean in found.chain_means[table.index.get_loc(worst)][:6])
    start += f"are in different places (means of {worst}: {means}). These draws cannot be used. "
    anew = f"fit longer and from other starting points ({longer}, another seed)"
    return start + cures.in_turn(
        cures.other_parameterization(setup), anew, cures.tighter_prior(setup)
    )


def _ess(found: Convergence, setup: Setup) -> str:
    table = found.parameters
    least = MIN_ESS_PER_CHAIN * found.chains
    parts = []
    for column, name, use in (("ess_bulk", "bulk", "means"), ("ess_tail", "tail", "intervals")):
        bad = table[table[column] < least]
        if len(bad):
            where = "" if len(bad) == 1 else f"{bad[column].idxmin()}: "
            parts.append(
                f"{name} ESS is below {least:,} for {_share(bad, table)} "
                f"({where}{bad[column].min():,.0f}), too little for {use}"
            )
    if not parts:
        return ""
    smallest = max(float(table[["ess_bulk", "ess_tail"]].min().min()), 1.0)
    needed = _round_up(1.2 * found.draws * least / smallest)
    steps = [f"draw more: draws={needed}", cures.other_parameterization(setup)]
    if needed > MOST_DRAWS:
        steps = [cures.other_parameterization(setup), cures.tighter_prior(setup), *steps[:1]]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}. {cures.in_turn(*steps)}"


def _e_bfmi(found: Convergence, setup: Setup) -> str:
    low = int(np.sum(found.e_bfmi < MIN_E_BFMI))
    if low == 0:
        return ""
    chains = "the chain" if found.chains == 1 else f"{low} of {found.chains} chains"
    return (
        f"E-BFMI is below {MIN_E_BFMI} in {chains} (lowest {np.nanmin(found.e_bfmi):.2g}): the "
        "sampler is slow to reach the tails, which may come out too short. "
        + cures.in_turn(
            cures.other_parameterization(setup) or cures.tighter_prior(setup),
            f"raise warmup to {cures.more(setup.warmup)}",
        )
    )


def _depth(found: Convergence, setup: Setup) -> str:
    if found.at_depth <= MAX_AT_DEPTH:
        return ""
    steps = f"{MAX_TREE_DEPTH}, that is {2**MAX_TREE_DEPTH - 1:,} steps"
    return (
        f"{percent(_short(found.at_depth))} of the transitions stopped at the greatest tree depth "
        f"({steps}): the draws are valid, but slow to make and strongly correlated. "
        + cures.in_turn(cures.other_parameterization(setup), cures.tighter_prior(setup))
    )


def _single_chain(found: Convergence, setup: Setup) -> str:
    if found.chains > 1:
        return ""
    return (
        "There is one chain: R-hat compares its two halves, and cannot see a chain that stays in "
        "one of several places. Draw chains=4."
    )


def _one_row_each(found: Convergence, setup: Setup) -> str:
    if not setup.within:
        return ""
    return (
        f"Every group has one row: {setup.within} (how rows vary within a group) and tau (how "
        "groups differ) cannot be told apart by these data, only by their priors. Take several "
        "rows of each group, such as its days or batches, or give "
        f"{setup.within} a prior that you can stand by."
    )


# internals --------------------------------------------------------------------------------------


def _extreme(values: pd.Series, which: str) -> tuple[float, str]:
    if values.isna().all():
        return math.nan, ""
    extreme: Callable[[], object] = values.idxmax if which == "max" else values.idxmin
    return float(values.max() if which == "max" else values.min()), str(extreme())


def _share(bad: pd.DataFrame, table: pd.DataFrame) -> str:
    """Say which parameters: the one, all of them, or how many."""
    if len(bad) == 1:
        return str(bad.index[0])
    if len(bad) == len(table):
        return f"all {len(bad):,} parameters"
    return f"{len(bad):,} of {len(table):,} parameters"


def _names(table: pd.DataFrame) -> str:
    more = f" and {len(table) - 3} more" if len(table) > 3 else ""
    return ", ".join(table.index[:3]) + more


def _short(value: float) -> float:
    return float(f"{value:.2g}")


def _round_up(draws: float) -> int:
    """Round up to two significant digits, at least 1,000."""
    unit = 10 ** max(math.floor(math.log10(max(draws, 1))) - 1, 0)
    return max(math.ceil(draws / unit) * unit, 1000)

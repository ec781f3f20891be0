"""What is said with a probability holds as often as said, with truths drawn from the priors."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import hierstan as hs

FIT: dict[str, Any] = {
    "seed": 1, "engine": "stanli", "progress": False, "chains": 2, "warmup": 400, "draws": 500,
}  # fmt: skip
CARING = 0.4  # a difference that matters, on the scale of each case


class Ledger:
    """What was said, with which probability, and whether it held."""

    def __init__(self) -> None:
        self._said: dict[str, list[float]] = defaultdict(list)
        self._held: dict[str, list[float]] = defaultdict(list)

    def add(self, sentence: str, said: float, held: float) -> None:
        self._said[sentence].append(float(said))
        self._held[sentence].append(float(held))

    def inside(self, sentence: str, table: pd.DataFrame | pd.Series, truth: Any) -> None:
        """Note in how many lines of a table of intervals the truth lies, as one case."""
        lower, upper = np.asarray(table["lower"], float), np.asarray(table["upper"], float)
        self.add(sentence, 0.9, np.mean((lower <= truth) & (truth <= upper)))

    def table(self) -> pd.DataFrame:
        """Return, of each sentence, what was said and measured, and how far apart they are."""
        rows = {}
        for name, held in self._held.items():
            gap = np.array(held) - np.array(self._said[name])
            said = np.array(self._said[name])
            chance = np.sqrt(np.mean(np.clip(said * (1 - said), 0, None)))  # of all or nothing
            error = max(gap.std(ddof=1), chance) / np.sqrt(len(gap))
            rows[name] = (said.mean(), np.mean(held), gap.mean() / error, len(gap))
        return pd.DataFrame.from_dict(rows, "index", columns=["said", "measured", "z", "cases"])


def about_groups(ledger: Ledger, fit: hs.Fit, truth: dict[str, Any], again: np.ndarray) -> None:
    """Note what is said of plain groups; `again`: raw estimates of a repetition of the data."""
    rng = np.random.default_rng(int(1e6 * abs(truth["tau"])) % 2**31)
    tau, mean = truth["tau"], fit.to_response(truth["theta"][None], draws=None)[0]
    new = fit.to_response(np.array([rng.normal(truth["mu"], tau)]), draws=None)[0]
    best = int(np.argmax(mean))
    labels = fit.data.groups
    threshold = 0.5
    found = hs.heterogeneity(fit, threshold=threshold, caring=CARING)
    ledger.inside("tau is ... (90% interval)", found.tau, tau)
    ledger.add("tau is negligible with probability", found.prob_negligible, tau < CARING)
    line = found.new_group.loc["response"]
    ledger.inside("a new group lies between ... with probability 90%", line, new)
    ledger.add("a new group is below ... with probability", line["below"], new < threshold)
    ledger.inside("I2", found.table.loc["i2"], tau**2 / (tau**2 + typical(fit, tau)))
    ledger.inside("each group's 90% interval", hs.group_means(fit), mean)
    chance = hs.prob_best(fit)
    ledger.add("the likely best is best", chance.max(), chance.argmax() == best)
    ledger.add("group 0 is best", chance.iloc[0], best == 0)
    greater = hs.prob_greater(fit, than_group=labels[1]).iloc[0]
    ledger.add("group 0 is above group 1", greater, mean[0] > mean[1])
    ledger.add("group 0 is above a number", hs.prob_greater(fit, than=threshold).iloc[0],
               mean[0] > threshold)  # fmt: skip
    loss = hs.expected_loss(fit)
    ledger.add("expected loss of the best choice", loss.min(), mean.max() - mean[loss.argmin()])
    uplift = hs.uplift(fit, control=labels[0], caring=CARING).iloc[0]
    apart = mean[1] - mean[0]
    ledger.inside("uplift's interval", uplift, apart)
    for name, held in {
        "prob_better": apart > CARING,
        "prob_worse": apart < -CARING,
        "prob_equivalent": abs(apart) <= CARING,
    }.items():
        ledger.add(f"uplift: {name}", uplift[name], held)
    worth = hs.value_remaining(fit)
    left = mean.max() - mean[labels.get_loc(worth.chosen)]
    ledger.add("no more remains than ... with probability 95%", worth.prob, left <= worth.upper)
    ledger.add("what remains on average", worth.mean, left)
    regret = hs.prob_regret(fit, CARING)
    ledger.add("regret above ... of group 0", regret.iloc[0], mean.max() - mean[0] > CARING)
    order = (-mean).argsort().argsort() + 1
    ledger.add("group 0 among the best two", hs.prob_top(fit, 2).iloc[0], order[0] <= 2)
    ranks = hs.rank_intervals(fit)
    covers = (ranks["lower"] <= order) & (order <= ranks["upper"])
    ledger.add("rank intervals (at least 90%)", max(0.9, covers.mean()), covers.mean())
    curse = hs.winners_curse(fit, seed=1)
    raw = hs.shrinkage(fit)["raw"].to_numpy()
    ledger.add("it would look best again with probability", curse.replicates,
               again.argmax() == raw.argmax())  # fmt: skip


def typical(fit: hs.Fit, tau: float) -> np.ndarray:
    """Return Higgins and Thompson's typical variance, at the truth where that is known."""
    w = 1 / hs.shrinkage(fit, scale="link")["raw_se"].to_numpy() ** 2
    return (len(w) - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())


def estimates(seeds: Iterable[int]) -> Ledger:
    """Known standard errors, six groups."""
    ledger = Ledger()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mu, tau, se = rng.normal(0, 2), abs(rng.normal(0, 1)), rng.uniform(0.3, 1.5, 6)
        theta = rng.normal(mu, tau, 6)
        frame = pd.DataFrame({"g": list("abcdef"), "effect": rng.normal(theta, se), "se": se})
        data = hs.GroupedData.from_estimates(frame, group="g", estimate="effect", se="se")
        priors = {"mu": hs.Normal(0, 2), "tau": hs.HalfNormal(1)}
        fit = hs.PartialPooling(priors=priors).fit(data, **FIT)
        truth = {"mu": mu, "tau": tau, "theta": theta}
        about_groups(ledger, fit, truth, rng.normal(theta, se))
        outcome = hs.predict(fit, se=0.5, seed=2).summary
        ledger.inside("predict: outcomes", outcome, rng.normal(theta, 0.5))
    return ledger


def cells(seeds: Iterable[int]) -> Ledger:
    """Counts in cells of four regions and three devices, whose effects are partially pooled."""
    ledger = Ledger()
    regions, devices = np.repeat(range(4), 3), np.tile(range(3), 4)
    names = {"region": [f"r{k}" for k in regions], "device": [f"d{k}" for k in devices]}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mu, tau, tau_r, tau_d = rng.normal(-1, 1), *np.abs(rng.normal(0, [0.5, 0.8, 0.5]))
        u_r, u_d = rng.normal(0, tau_r, 4), rng.normal(0, tau_d, 3)
        theta = rng.normal(mu + u_r[regions] + u_d[devices], tau)
        n = rng.integers(20, 200, 12)
        frame = pd.DataFrame({**names, "n": n, "y": rng.binomial(n, special.expit(theta))})
        data = hs.GroupedData.from_counts(frame, group=[*names], successes="y", trials="n")
        priors = {"mu": hs.Normal(-1, 1), "tau": hs.HalfNormal(0.5)}
        priors |= {"tau_region": hs.HalfNormal(0.8), "tau_device": hs.HalfNormal(0.5)}
        fit = hs.PartialPooling(priors=priors).fit(data, **FIT)
        parts = hs.components(fit).table
        sds = np.array([tau_r, tau_d, tau])
        for name, sd, share in zip(parts.index, sds, sds**2 / (sds**2).sum(), strict=True):
            line = parts.loc[name]
            own = line[["sd_lower", "sd_upper"]].set_axis(["lower", "upper"])
            ledger.inside("components: sd", own, sd)
            own = line[["share_lower", "share_upper"]].set_axis(["lower", "upper"])
            ledger.inside("components: share of the variance", own, share)
        ledger.inside("effects of regions", hs.effects(fit, "region", scale="link"), u_r)
        ledger.inside("each cell's 90% interval", hs.group_means(fit), special.expit(theta))
        weight = frame.assign(people=rng.integers(1, 100, 12))[["region", "device", "people"]]
        w = weight["people"].to_numpy() / weight["people"].sum()
        whole = hs.poststratify(fit, weight, weight="people").iloc[0]
        ledger.inside("poststratify", whole, w @ special.expit(theta))
        new = hs.predict(fit, new_groups=1, trials=1000, seed=2).summary.iloc[0]
        eta = mu + rng.normal(0, tau_r) + rng.normal(0, tau_d) + rng.normal(0, tau)
        ledger.inside("predict: a cell of new levels", new, rng.binomial(1000, special.expit(eta)))
    return ledger


def two_arms(seeds: Iterable[int]) -> Ledger:
    """Counts of events in two arms of eight trials."""
    ledger = Ledger()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mu, tau = rng.normal(0, 0.5), abs(rng.normal(0, 0.5))
        middle, slope, spread = rng.normal(-1, 1), rng.normal(0, 0.5), abs(rng.normal(0, 0.5))
        theta = rng.normal(mu, tau, 8)
        baseline = rng.normal(middle + slope * theta, spread)
        n = rng.integers(30, 200, 8)
        p = special.expit(np.array([baseline, baseline + theta]))
        y = rng.binomial(n, p)
        frame = pd.DataFrame({"trial": list("abcdefgh"), "y0": y[0], "n0": n, "y1": y[1], "n1": n})
        names = {"events_treatment": "y1", "total_treatment": "n1"}
        names |= {"events_control": "y0", "total_control": "n0"}
        data = hs.GroupedData.from_arms(frame, group="trial", **names)
        priors = {"mu": hs.Normal(0, 0.5), "tau": hs.HalfNormal(0.5)}
        priors |= {"intercept": hs.Normal(-1, 1), "slope": hs.Normal(0, 0.5)}
        priors |= {"spread": hs.HalfNormal(0.5)}
        fit = hs.PartialPooling(priors=priors).fit(data, **FIT)
        found = hs.absolute_effects(fit, measure="RD")
        overall = float((n / n.sum()) @ (p[1] - p[0]))
        ledger.inside("absolute effects of trials", found.table, p[1] - p[0])
        ledger.inside("absolute effect overall", found.overall, overall)
        ledger.add("higher with the treatment", found.overall["prob_positive"], overall > 0)
        ledger.add("a trial: higher with the treatment", found.table["prob_positive"].iloc[0],
                   theta[0] > 0)  # fmt: skip
        ledger.inside("effects of trials", hs.group_means(fit, scale="link"), theta)
        h = hs.heterogeneity(fit)
        ledger.inside("tau is ... (90% interval)", h.tau, tau)
        ledger.inside("a new group lies between ...", h.new_group.loc["link"], rng.normal(mu, tau))
        for arm, true in (("baseline", p[0]), ("treated", p[1])):
            table = hs.arms(fit)
            own = table[[f"{arm}_lower", f"{arm}_upper"]].set_axis(["lower", "upper"], axis=1)
            ledger.inside("arms of trials", own, true)
        about_population(ledger, fit, mu, tau, middle, slope, spread)
        theta_new = rng.normal(mu, tau)
        given = special.expit(rng.normal(middle + slope * theta_new, spread))
        new = hs.predict(fit, new_groups=1, trials=500, baseline=given, seed=3).summary.iloc[0]
        outcome = rng.binomial(500, special.expit(special.logit(given) + theta_new))
        ledger.inside("predict: a new trial whose baseline is known", new, outcome)
    return ledger


def about_population(
    ledger: Ledger, fit: hs.Fit, mu: float, tau: float, middle: float, slope: float, spread: float
) -> None:
    """Note what is said of how baselines and effects vary together."""
    table = hs.arms(fit, of="population")
    of_baseline = np.hypot(spread, slope * tau)
    truth = {
        "mu_baseline": middle + slope * mu,
        "tau_baseline": of_baseline,
        "mu_treatment": middle + (1 + slope) * mu,
        "tau_treatment": np.hypot(spread, (1 + slope) * tau),
        "correlation": slope * tau / of_baseline,
    }
    for name, value in truth.items():
        ledger.inside(f"population of both arms: {name}", table.loc[name], value)
    said = re.search(
        r"the log odds ratio is (lower|higher) where .*?, with probability (.*?) \(",
        table.attrs["advice"],
        re.IGNORECASE,
    )
    assert said is not None, table.attrs["advice"]
    number = re.search(r"(\d+)%", said.group(2))
    assert number is not None, said.group(2)
    sure = int(number.group(1)) / 100
    ledger.add("effects go with baselines in this direction", sure,
               (slope > 0) == (said.group(1) == "higher"))  # fmt: skip


def two_parts(seeds: Iterable[int]) -> Ledger:
    """Customers of six shops who buy or do not, and spend lognormal amounts."""
    ledger = Ledger()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mu, tau = rng.normal(-1, 0.7), abs(rng.normal(0, 0.5))
        level, apart = rng.normal(3, 0.7), abs(rng.normal(0, 0.4))
        sigma = abs(rng.normal(0.8, 0.1))
        rate, place = special.expit(rng.normal(mu, tau, 6)), rng.normal(level, apart, 6)
        n = rng.integers(60, 200, 6)
        shop = np.repeat(np.arange(6), n)
        spent = rng.binomial(1, rate[shop]) * rng.lognormal(place[shop], sigma)
        names = np.array(list("abcdef"))
        frame = pd.DataFrame({"shop": names[shop], "spent": spent})
        priors = {
            "rate": {"mu": hs.Normal(-1, 0.7), "tau": hs.HalfNormal(0.5)},
            "amount": {
                "mu": hs.Normal(3, 0.7),
                "tau": hs.HalfNormal(0.4),
                "sigma": hs.TruncatedNormal(0.8, 0.1),
            },
        }
        model = hs.TwoPart("lognormal", priors=priors)
        fit = model.fit(frame, group="shop", outcome="spent", **FIT)
        revenue = rate * np.exp(place + sigma**2 / 2)
        ledger.inside("revenue per customer of each shop", fit.means(), revenue)
        found = hs.heterogeneity(fit)
        ledger.inside("tau of the rates", found.rate.tau, tau)
        ledger.inside("tau of the amounts", found.amount.tau, apart)
        best = revenue.argmax()
        chance = hs.prob_best(fit)
        ledger.add("the likely best shop is best", chance.max(), chance.argmax() == best)
        ledger.add("shop a is best", chance.iloc[0], best == 0)
        difference = (revenue[1] - revenue[0]) / 10
        uplift = hs.uplift(fit, control="a", caring=1.0).iloc[0]
        ledger.inside("uplift's interval", uplift / 10, difference)
        ledger.add("uplift: prob_better", uplift["prob_better"], 10 * difference > 1)
        loss = hs.expected_loss(fit)
        ledger.add("expected loss of the best choice", loss.min(),
                   revenue.max() - revenue[loss.argmin()])  # fmt: skip
        customers = hs.predict(fit, groups=["a"], rows=50, seed=2).draws.to_numpy()
        total = np.quantile(customers.reshape(-1, 50).sum(axis=1), [0.05, 0.95])
        again = rng.binomial(1, rate[0], 50) @ rng.lognormal(place[0], sigma, 50)
        table = pd.Series(total, index=["lower", "upper"])
        ledger.inside("predict: what 50 more customers spend", table, again)
    return ledger


def surveys(seeds: Iterable[int]) -> Ledger:
    """Ratings from 1 to 4 in six stores."""
    ledger, scores = Ledger(), np.arange(1, 5)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        cut = hs.Dirichlet(1).draw(rng, 3)
        mu, tau = rng.normal(0, 1), abs(rng.normal(0, 0.7))
        theta = rng.normal(mu, tau, 6)

        def shares(theta: np.ndarray, cut: np.ndarray = cut) -> np.ndarray:
            above = special.expit(np.asarray(theta)[..., None] - cut)
            edge = np.ones((*above.shape[:-1], 1))
            return -np.diff(np.concatenate([edge, above, 0 * edge], axis=-1), axis=-1)

        store = np.repeat(np.arange(6), rng.integers(15, 60, 6))
        stars = [rng.choice(scores, p=shares(theta[g])) for g in store]
        frame = pd.DataFrame({"store": np.array(list("abcdef"))[store], "stars": stars})
        data = hs.GroupedData.from_ratings(
            frame, group="store", rating="stars", order=scores.tolist()
        )
        priors = {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(0.7)}
        fit = hs.PartialPooling(priors=priors).fit(data, **FIT | {"draws": 1500})
        p, new = shares(theta), shares(rng.normal(mu, tau))
        mean, table = p @ scores, hs.ratings(fit, top=2)
        ledger.inside("mean score of each store", table, mean)
        top = table[["top_lower", "top_upper"]].set_axis(["lower", "upper"], axis=1)
        ledger.inside("share of the top two boxes", top, p[:, 2:].sum(axis=1))
        found = hs.heterogeneity(fit, threshold=2.5)
        line = found.new_group.loc["response"]
        ledger.inside("tau is ... (90% interval)", found.tau, tau)
        ledger.inside("a new store's mean score lies between ...", line, new @ scores)
        ledger.add("a new store is below ...", line["below"], new @ scores < 2.5)
        chance = hs.prob_best(fit)
        ledger.add("the likely best is best", chance.max(), chance.argmax() == mean.argmax())
        ledger.add("store a is above 2.5", hs.prob_greater(fit, than=2.5).iloc[0], mean[0] > 2.5)
        uplift = hs.uplift(fit, control="a", caring=0.2).iloc[0]
        ledger.inside("uplift's interval", uplift, mean[1] - mean[0])
        ledger.add("uplift: prob_equivalent", uplift["prob_equivalent"],
                   abs(mean[1] - mean[0]) <= 0.2)  # fmt: skip
        outcomes = hs.predict(fit, groups=["a"], seed=2).draws.to_numpy().ravel()
        ledger.add("predict: a rating of 3 or 4", np.mean(outcomes >= 3),
                   rng.random() < p[0, 2:].sum())  # fmt: skip
    return ledger


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore:Do not rely on this")  # whatever is drawn counts
@pytest.mark.parametrize("case", [estimates, cells, two_arms, two_parts, surveys])
def test_what_is_said_with_a_probability_holds_as_often(case: Any) -> None:
    many = int(os.environ.get("HIERSTAN_SENTENCES", "120"))
    found = case(range(many)).table()
    print(f"\n{case.__doc__}\n{found.round(3).to_string()}")
    assert (found["z"].abs() < 3.5).all()

"""Two-part models against quadrature, their own two fits, and the theory of their moments."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exact import LOG_DZ, Z
from scipy import integrate, special, stats

import hierstan as hs
from hierstan import families
from hierstan.fit.infinite_means import infinite_because
from hierstan.models.two_part import amount_priors

TIMES = 4.0
COLUMNS = {"group": "segment", "outcome": "spent"}
QUICK = {"engine": "stanli", "progress": False}
QUICKER = {**QUICK, "chains": 1, "warmup": 300, "draws": 400}
SIZES = {"large": 900, "medium": 120, "small": 12, "nobody": 25}
FAMILIES = ("gamma", "lognormal")
HEAVY = {"amount": {"tau": hs.HalfCauchy(1)}}


@functools.cache
def customers() -> pd.DataFrame:
    """Four segments: rates from 8 to 25%, amounts around 20; nobody buys in the last."""
    rng = np.random.RandomState(1)
    segment = np.repeat(list(SIZES), list(SIZES.values()))
    rate = np.repeat([0.08, 0.15, 0.25, 0.0], list(SIZES.values()))
    spent = np.exp(rng.normal(np.log(20) - 0.3, 0.8, len(segment)))
    return pd.DataFrame(
        {"segment": segment, "spent": np.where(rng.random_sample(len(segment)) < rate, spent, 0)}
    )


@functools.cache
def fitted(amounts: str = "gamma", pooling: type = hs.PartialPooling):
    return hs.TwoPart(amounts, pooling=pooling).fit(customers(), **COLUMNS, seed=1, **QUICK)


@functools.cache
def heavy(amounts: str = "gamma"):
    return hs.TwoPart(amounts, priors=HEAVY).fit(customers(), **COLUMNS, seed=1, **QUICKER)


def mcse(fit, values: np.ndarray) -> np.ndarray:
    from arviz_stats.base import array_stats

    chains = values.reshape(fit.rate.options["chains"], fit.rate.options["draws"], -1)
    return np.array([array_stats.mcse(chains[..., j]) for j in range(chains.shape[2])])


def grid(low: float, high: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and log weights."""
    step = (high - low) / nodes
    return low + step * (np.arange(nodes) + 0.5), np.full(nodes, np.log(step))


# against quadrature ---------------------------------------------------------------------------


def exact_rates(fit) -> np.ndarray:
    """Posterior means of the rates, over mu, tau and every theta."""
    table, priors = fit.data.table, fit.rate.priors
    y, n = table["buyers"].to_numpy(), table["customers"].to_numpy()

    def log_lik(theta):
        return y * theta - n * np.logaddexp(0, theta)

    if fit.model.name == "none":
        theta, weight = grid(-60, 10, 2800)
        log = log_lik(theta[:, None]) + (priors["theta"].log_density(theta) + weight)[:, None]
        return np.exp(special.logsumexp(log - np.logaddexp(0, -theta)[:, None], axis=0)) / np.exp(
            special.logsumexp(log, axis=0)
        )
    mu, mu_weight = grid(-8, 3, 40)
    tau, tau_weight = grid(0, 5, 40)
    total, means = [], []
    for t, weight in zip(tau, tau_weight + priors["tau"].log_density(tau), strict=True):
        theta = (mu[:, None] + t * Z)[..., None]
        log = log_lik(theta) + (stats.norm.logpdf(Z) + LOG_DZ)[:, None]
        of_group = special.logsumexp(log, axis=1)
        share = np.exp(log - of_group[:, None, :])
        means.append((share * special.expit(theta)).sum(axis=1))
        total.append(of_group.sum(axis=1) + weight + mu_weight + priors["mu"].log_density(mu))
    weight = np.exp(np.array(total) - special.logsumexp(total))
    return np.einsum("tm,tmj->j", weight, np.array(means))


def buyers_of(fit) -> list[np.ndarray]:
    """The logarithms of what each segment's buyers spent."""
    frame = customers()
    paid = frame[frame["spent"] > 0]
    return [np.log(paid.loc[paid["segment"] == s, "spent"].to_numpy()) for s in fit.groups]


def exact_lognormal_amounts(fit) -> np.ndarray:
    """Posterior means of exp(theta + sigma^2 / 2), over mu, tau and sigma; theta in closed form."""
    priors, logs = fit.amount.priors, buyers_of(fit)
    mu, mu_weight = grid(1, 5, 50)
    tau, tau_weight = grid(0, 2.5, 50)
    sigma, sigma_weight = grid(0.4, 1.4, 40)
    M, T, G = np.meshgrid(mu, tau, sigma, indexing="ij")
    log = (mu_weight + priors["mu"].log_density(mu))[:, None, None]
    log = log + (tau_weight + priors["tau"].log_density(tau))[None, :, None]
    log = log + sigma_weight + priors["sigma"].log_density(sigma)
    means = []
    for x in logs:
        if len(x) == 0:
            means.append(np.exp(M + T**2 / 2 + G**2 / 2))
            continue
        log = log + stats.norm.logpdf(x.mean(), M, np.sqrt(T**2 + G**2 / len(x)))
        log = log - (len(x) - 1) * np.log(G) - ((x - x.mean()) ** 2).sum() / (2 * G**2)
        precision = len(x) / G**2 + 1 / T**2
        center = (len(x) * x.mean() / G**2 + M / T**2) / precision
        means.append(np.exp(center + 1 / precision / 2 + G**2 / 2))
    weight = np.exp(log - special.logsumexp(log))
    return np.array([(weight * mean).sum() for mean in means])


def exact_gamma_amounts(fit) -> np.ndarray:
    """Posterior means of exp(theta) without pooling, over the shape and every theta."""
    priors, logs = fit.amount.priors, buyers_of(fit)
    shape, shape_weight = grid(0.3, 5, 100)
    theta, weight = grid(-3, 9, 600)
    log = shape_weight + priors["shape"].log_density(shape)
    prior = weight + priors["theta"].log_density(theta)
    means = []
    for x in logs:
        rows = shape[:, None] * (
            len(x) * (np.log(shape)[:, None] - theta) + x.sum() - np.exp(x).sum() * np.exp(-theta)
        )
        joint = rows - len(x) * special.gammaln(shape)[:, None] + prior
        of_group = special.logsumexp(joint, axis=1)
        means.append(np.exp(special.logsumexp(joint + theta, axis=1) - of_group))
        log = log + of_group
    return np.array(means) @ np.exp(log - special.logsumexp(log))


@pytest.mark.parametrize(
    ("amounts", "pooling", "exact_amounts"),
    [
        ("lognormal", hs.PartialPooling, exact_lognormal_amounts),
        ("gamma", hs.NoPooling, exact_gamma_amounts),
    ],
)
def test_means_against_quadrature(amounts: str, pooling: type, exact_amounts) -> None:
    fit = fitted(amounts, pooling)
    means, (rates, exact) = fit.means(), (exact_rates(fit), exact_amounts(fit))
    for name, truth in (("rate", rates), ("amount", exact), ("mean", rates * exact)):
        error = mcse(fit, fit.draws(name))
        assert (np.abs(means[name] - truth) < TIMES * error).all(), (name, means[name], truth)


# against the two fits -------------------------------------------------------------------------


@pytest.mark.parametrize("amounts", FAMILIES)
def test_it_is_the_two_fits(amounts: str) -> None:
    fit, frame = fitted(amounts), customers()
    bought = frame.assign(spent=frame["spent"] > 0)
    rate = hs.PartialPooling().fit(
        hs.GroupedData.from_rows(bought, **COLUMNS, family="bernoulli"), seed=1, **QUICK
    )
    paid = hs.GroupedData.from_rows(frame[frame["spent"] > 0], **COLUMNS, family=amounts)
    priors = {name: p for name, p in amount_priors(paid).items() if name in fit.amount.priors}
    amount = hs.PartialPooling(priors=priors).fit(paid, seed=fit.amount.seed, **QUICK)
    np.testing.assert_array_equal(fit.rate.draws("theta"), rate.draws("theta"))
    np.testing.assert_array_equal(fit.amount.draws("theta"), amount.draws("theta"))
    mean = np.exp(amount.draws("theta"))
    if amounts == "lognormal":
        mean = mean * np.exp(amount.draws("sigma")[:, None] ** 2 / 2)
    product = special.expit(rate.draws("theta")[:, :3]) * mean
    np.testing.assert_allclose(fit.draws("mean")[:, :3], product)
    np.testing.assert_allclose(fit.means(prob=0.5)["upper"][:3], np.quantile(product, 0.75, axis=0))
    np.testing.assert_allclose(fit.draws(), fit.draws("rate") * fit.draws("amount"))


def test_the_parts_are_independent() -> None:
    fit = fitted()
    assert fit.rate.seed != fit.amount.seed
    pairs = np.corrcoef(fit.draws("rate").T, fit.draws("amount").T)[:4, 4:]
    assert np.abs(pairs).max() < 0.1


def test_raw_numbers() -> None:
    means = fitted().means()
    by = customers().groupby("segment")["spent"]
    np.testing.assert_allclose(means["raw"], by.mean()[means.index])
    assert means["customers"].tolist() == list(SIZES.values())
    assert means["buyers"].tolist() == [int((by.get_group(s) > 0).sum()) for s in means.index]
    assert means.index.tolist() == list(SIZES)
    assert "90%" in means.attrs["caption"]


# segments without buyers, and tiny ones ---------------------------------------------------------


def test_a_segment_without_buyers_takes_the_population() -> None:
    fit = fitted()
    own, new = np.log(fit.draws("amount")[:, 3]), fit.amount.draws("theta_new")
    assert stats.ks_2samp(own[::5], new[::5]).pvalue > 0.001
    together = fitted(pooling=hs.CompletePooling)
    np.testing.assert_array_equal(together.draws("amount")[:, 3], together.draws("amount")[:, 0])
    alone = fitted(pooling=hs.NoPooling)
    prior = alone.amount.priors["theta"]
    drawn = np.log(alone.draws("amount")[:, 3])
    assert stats.kstest(drawn, lambda x: stats.norm.cdf(x, prior.location, prior.scale))[1] > 0.001


def test_segments_without_buyers_are_drawn_one_by_one() -> None:
    frame = customers()
    twice = pd.concat([frame, frame[frame["segment"] == "nobody"].assign(segment="nor they")])
    fit = hs.TwoPart().fit(twice, **COLUMNS, seed=1, **QUICKER)
    amounts = np.log(fit.draws("amount")[:, 3:])
    assert 0 < np.corrcoef(amounts.T)[0, 1] < 0.9
    np.testing.assert_array_equal(fit.draws("amount"), fit.draws("amount"))


@pytest.mark.parametrize("amounts", FAMILIES)
@pytest.mark.parametrize("pooling", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_tiny_segments(amounts: str, pooling: type) -> None:
    frame = pd.DataFrame({"segment": [1, 2, 3], "spent": [7.0, 9.0, 0.0]})
    fit = hs.TwoPart(amounts, pooling=pooling).fit(frame, **COLUMNS, seed=1, **QUICKER)
    means = fit.means()
    assert np.isfinite(means).all(axis=None)
    assert (means["lower"] < means["mean"]).all()
    assert hs.prob_best(fit).sum() == pytest.approx(1)


def test_one_huge_purchase_is_not_taken_at_its_word() -> None:
    tiny = pd.DataFrame({"segment": "press", "spent": [900.0] + [0.0] * 9})
    frame = pd.concat([customers(), tiny])
    fit = hs.TwoPart("lognormal").fit(frame, **COLUMNS, seed=1, **QUICKER)
    line = fit.means().loc["press"]
    assert line["raw"] == 90
    assert line["mean"] < 45
    assert line["lower"] < 15


def test_a_heavy_tail_is_not_drawn_in_by_its_prior() -> None:
    """With 90 buyers of log-sd 2, a half-normal prior of scale 0.65 takes 5% off sigma."""
    rng = np.random.default_rng(5)
    segment = np.repeat(list("abc"), 60)
    spent = rng.lognormal(3, 2, 180) * np.tile([0, 1], 90)
    frame = pd.DataFrame({"segment": segment, "spent": spent})
    fit = hs.TwoPart("lognormal").fit(frame, **COLUMNS, seed=1, **QUICKER)
    logs = np.log(frame["spent"][spent > 0])
    within = logs - logs.groupby(segment[spent > 0]).transform("mean")
    pooled = np.sqrt((within**2).sum() / (len(logs) - 3))
    assert fit.amount.draws("sigma").mean() == pytest.approx(pooled, rel=0.03)


# finite expectations ----------------------------------------------------------------------------


@pytest.mark.parametrize("amounts", FAMILIES)
@pytest.mark.parametrize("pooling", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_the_defaults_guarantee_mean_and_variance(amounts: str, pooling: type) -> None:
    fit = fitted(amounts, pooling)
    assert not any(fit.infinite(1) + fit.infinite(2))
    assert np.isfinite(fit.means()).all(axis=None)


def test_the_prior_expectation_is_finite_and_what_prior_draws_average() -> None:
    """A segment's mean amount under the priors alone: no data bound it at all."""
    model = hs.TwoPart("lognormal", priors={"amount": {"mu": hs.Normal(3, 0.5)}})
    fit = model.fit(customers(), **COLUMNS, seed=1, prior_only=True, **QUICK)
    priors = fit.amount.priors

    def expectation(name: str, times: float, upto: float) -> float:
        def integrand(x):
            return np.exp(times * x**2 / 2 + priors[name].log_density(x))

        return float(integrate.quad(integrand, 0, upto, limit=200)[0])

    for order in (1, 2):
        parts = {"tau": order**2, "sigma": order}
        ends = [expectation(name, c, end) for name, c in parts.items() for end in (6, 12)]
        assert ends[1] == pytest.approx(ends[0], rel=1e-3)
        assert ends[3] == pytest.approx(ends[2], rel=1e-3)
        exact = np.exp(order * 3 + order**2 * 0.5**2 / 2) * ends[1] * ends[3]
        if order == 1:
            drawn = fit.draws("amount")
            assert (np.abs(drawn.mean(axis=0) - exact) < TIMES * mcse(fit, drawn)).all()
    assert not any(fit.infinite(1) + fit.infinite(2))
    np.testing.assert_array_equal(np.isfinite(fit.means()).all(axis=None), True)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sigma", [0.45, 0.65, 0.69, 0.8, 0.95, 1.05])
@pytest.mark.parametrize("tau", [0.3, 0.6, 0.8, 1.5, None])
def test_the_rule_for_few_lognormal_rows(tau: float | None, sigma: float, order: int) -> None:
    """E exp(order (theta + sigma^2 / 2)) against the priors, in every direction of the variances.

    The exponent is quadratic in sigma and tau: the integral is finite where it falls in all
    directions. `None` is a half-Cauchy, which does not fall.
    """
    fall = 0.0 if tau is None else 1 / tau**2
    angle = np.linspace(1e-9, np.pi / 2 - 1e-9, 20_001)
    u, v = np.cos(angle), np.sin(angle)  # sigma^2, tau^2
    prior = hs.HalfCauchy(1) if tau is None else hs.HalfNormal(tau)
    fit = fitted("lognormal").amount
    priors = {**fit.priors, "tau": prior, "sigma": hs.HalfNormal(sigma)}
    fit = dataclasses.replace(fit, priors=priors)
    for rows in (1, 2, 5, 50):
        variance = 1 / (rows / u + 1 / v)
        exponent = order**2 * variance + order * u - u / sigma**2 - v * fall
        finite = exponent[:-1].max() < 1e-6 if tau is None else exponent.max() < 0
        if abs(exponent.max()) < 1e-6 and tau is not None:
            continue
        found = infinite_because(fit, order=order, rows=rows, of="mean")
        assert (found == "") == finite, (rows, exponent.max())


def test_the_rule_for_few_gamma_rows() -> None:
    """The likelihood of n rows falls like the mean to the power -n shape, times 1 / tau a group."""
    fit = heavy()
    log = np.log(fit.amount.draws("shape"))
    least = int(np.floor(np.exp(6 * log.std() - log.mean()))) + 1
    assert infinite_because(fit.amount, rows=least, of="mean") == ""
    assert infinite_because(fit.amount, rows=least - 1, of="mean") == "tau ~ HalfCauchy(1)"
    assert infinite_because(fit.amount, rows=0, of="mean") == "tau ~ HalfCauchy(1)"
    for n, finite in ((0.6, False), (1.4, True)):  # n shape
        upto = []
        for end in (50.0, 100.0):
            theta, weight = grid(0, end, 1000)
            tau, tau_weight = grid(0, end, 200)
            log = theta[:, None] * (1 - n) - n * np.exp(-theta)[:, None] + weight[:, None]
            log = log + stats.norm.logpdf(theta[:, None], 0, tau) + stats.halfcauchy.logpdf(tau)
            upto.append(special.logsumexp(log + tau_weight))
        assert (upto[1] - upto[0] < 0.05) == finite


@pytest.mark.parametrize("amounts", FAMILIES)
def test_infinite_means_are_said_and_not_printed(amounts: str) -> None:
    """Of gamma amounts one buyer bounds the mean only where the shape is above 1."""
    fit = heavy(amounts)
    which = {"gamma": "2 of 4 groups ('small', 'nobody')", "lognormal": "1 of 4 groups ('nobody')"}
    words = f"The expected amounts of {which[amounts]} are infinite under the prior tau ~ HalfC"
    with pytest.warns(
        hs.HierstanWarning, match=re.escape(words) + ".*HalfNormal with a scale below 0.5"
    ) as caught:
        means = fit.means()
    assert caught[0].filename == __file__
    assert (means.loc["nobody", ["amount", "mean", "sd"]] == np.inf).all()
    assert np.isfinite(means.loc["nobody", ["rate", "lower", "upper"]].astype(float)).all()
    assert np.isfinite(means.loc["large":"medium"]).all(axis=None)
    text = " ".join(str(fit).split())
    assert f"Warning {words}" in text
    assert "Warning" not in str(fitted(amounts))


@pytest.mark.parametrize(
    ("prior", "reason"),
    [
        ({"sigma": hs.HalfNormal(1.1)}, r"all 4 groups.*sigma ~ HalfNormal\(1\.1\)"),
        ({"tau": hs.Exponential(1)}, r"tau ~ Exponential\(1\)"),
        ({"mu": hs.Cauchy(0, 1), "tau": hs.HalfNormal(0.9)}, r"mu ~ Cauchy\(0, 1\)"),
    ],
)
def test_every_guilty_prior_is_named(prior, reason: str) -> None:
    model = hs.TwoPart("lognormal", priors={"amount": prior})
    fit = model.fit(customers(), **COLUMNS, seed=1, **QUICKER)
    with pytest.warns(hs.HierstanWarning, match=reason):
        fit.means()


def test_an_infinite_sd_alone_is_no_warning() -> None:
    model = hs.TwoPart(priors={"amount": {"tau": hs.HalfNormal(0.8)}})
    fit = model.fit(customers(), **COLUMNS, seed=1, **QUICKER)
    means = fit.means()
    assert means.loc["nobody", "sd"] == np.inf
    assert np.isfinite(means["mean"]).all()
    table = hs.uplift(fit, control="large")
    assert table["sd"].tolist()[2] == np.inf
    assert np.isfinite(table["mean"]).all()


def test_decisions_refuse_infinite_means_only() -> None:
    fit = heavy()
    for verb in (
        hs.expected_loss,
        hs.decision_table,
        hs.value_remaining,
        hs.winners_curse,
        lambda fit: hs.uplift(fit, control="large"),
    ):
        with pytest.raises(hs.HierstanError, match=r"'nobody'.*tau ~ HalfCauchy.*scale='link'"):
            verb(fit)
    assert hs.prob_best(fit).sum() == pytest.approx(1)
    assert hs.rank_probabilities(fit).shape == (4, 4)
    assert np.isfinite(hs.expected_loss(fit, scale="link")).all()


# decisions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("amounts", FAMILIES)
def test_decisions_are_about_revenue_per_customer(amounts: str) -> None:
    fit = fitted(amounts)
    x = fit.draws("mean")
    best = x == x.max(axis=1, keepdims=True)
    loss = x.max(axis=1, keepdims=True) - x
    np.testing.assert_allclose(hs.prob_best(fit), best.mean(axis=0))
    np.testing.assert_allclose(hs.expected_loss(fit), loss.mean(axis=0))
    np.testing.assert_allclose(hs.prob_regret(fit, 1.0), (loss > 1).mean(axis=0))
    np.testing.assert_allclose(hs.prob_greater(fit, than=2.0), (x > 2).mean(axis=0))
    above = (x > x[:, [1]]).mean(axis=0)
    np.testing.assert_allclose(
        hs.prob_greater(fit, than="medium"), np.where(np.arange(4) == 1, 0.5, above)
    )
    table = hs.uplift(fit, control="large", relative=True)
    np.testing.assert_allclose(table["mean"], (x[:, 1:] / x[:, [0]] - 1).mean(axis=0))
    log = hs.uplift(fit, control="large", scale="link")
    np.testing.assert_allclose(log["mean"], np.log(x[:, 1:] / x[:, [0]]).mean(axis=0))
    order = np.argsort(-x, axis=1)
    np.testing.assert_allclose(
        hs.rank_probabilities(fit)[2], [(order[:, 1] == j).mean() for j in range(4)]
    )
    np.testing.assert_allclose(
        hs.prob_top(fit, 2), [(order[:, :2] == j).any(axis=1).mean() for j in range(4)]
    )
    assert hs.rank_intervals(fit).index.tolist() == list(SIZES)
    remaining = hs.value_remaining(fit)
    assert remaining.mean == pytest.approx(hs.expected_loss(fit)[remaining.chosen])
    smaller = hs.prob_best(fit, larger_is_better=False)
    np.testing.assert_allclose(smaller, (x == x.min(axis=1, keepdims=True)).mean(axis=0))


def test_blocks_of_draws_and_groups_are_the_whole(monkeypatch) -> None:
    fit = fitted()
    whole = hs.expected_loss(fit), hs.uplift(fit, control="large"), fit.means()
    monkeypatch.setattr("hierstan.answers.decisions.worth.BLOCK", 700)
    monkeypatch.setattr("hierstan.fit.group_summaries.BLOCK", 4001)
    again = hs.expected_loss(fit), hs.uplift(fit, control="large"), fit.means()
    pd.testing.assert_series_equal(whole[0], again[0])
    pd.testing.assert_frame_equal(whole[1], again[1])
    pd.testing.assert_frame_equal(whole[2], again[2])


def test_decision_table() -> None:
    fit = fitted()
    table = hs.decision_table(fit, control="large", caring=0.1)
    means = fit.means().loc[table.index]
    np.testing.assert_allclose(table["mean"], means["mean"])
    np.testing.assert_allclose(table["raw"], means["raw"])
    assert table["n"].tolist() == means["customers"].tolist()
    assert table["verdict"].iloc[0] in ("choose", "keep testing")


@pytest.mark.parametrize("amounts", FAMILIES)
def test_repetitions_of_the_winners_curse(amounts: str) -> None:
    from hierstan.answers.decisions.winners_curse import _repeated, _which
    from hierstan.answers.decisions.worth import values_of

    fit = fitted(amounts)
    again = _repeated(values_of(fit, "response", True), 1)
    mean = fit.draws()[_which(4000, 1)]
    error = np.sqrt(((again - mean) ** 2).mean(axis=0) / len(again))
    assert (np.abs((again - mean).mean(axis=0)) < 5 * error).all()
    audit = hs.winners_curse(fit)
    assert audit.raw_winner == fit.means()["raw"].idxmax()
    assert 0 <= audit.replicates <= 1
    assert hs.winners_curse(fit, scale="link").raw_winner == audit.raw_winner


# frames, words, errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["polars", "lazy", "enum", "pyarrow", "duckdb", "category"])
def test_any_frame(kind: str) -> None:
    pl = pytest.importorskip("polars")
    frame, order = customers().sample(frac=1, random_state=1), list(SIZES)[::-1]
    given = {
        "polars": lambda: pl.from_pandas(frame),
        "lazy": lambda: pl.from_pandas(frame).lazy(),
        "enum": lambda: pl.from_pandas(frame).with_columns(pl.col("segment").cast(pl.Enum(order))),
        "pyarrow": lambda: pl.from_pandas(frame).to_arrow(),
        "duckdb": lambda: pytest.importorskip("duckdb").from_arrow(
            pl.from_pandas(frame).to_arrow()
        ),
        "category": lambda: frame.assign(segment=pd.Categorical(frame["segment"], order)),
    }[kind]()
    fit = hs.TwoPart("lognormal", pooling=hs.NoPooling).fit(given, **COLUMNS, seed=1, **QUICKER)
    if kind in ("enum", "category"):
        assert fit.groups.tolist() == order
        assert fit.amount.data.groups.tolist() == order[1:]
    expected = fitted("lognormal").data.table
    pd.testing.assert_frame_equal(
        fit.data.table.loc[list(SIZES)], expected, check_index_type=False, check_names=False
    )
    raw = customers().query("spent > 0").groupby("segment")["spent"]
    counts = fit.amount.data.to_frame()["n"]
    assert counts.to_dict() == raw.size().to_dict()
    logs = raw.apply(lambda x: np.log(x).mean())
    np.testing.assert_allclose(
        fit.amount.data.to_frame()["mean_log"].loc[logs.index], logs, rtol=1e-9
    )


@pytest.mark.parametrize("labels", [[1, 2, 3, 4], [("a", 1), ("b", 1), ("a", 2), ("b", 2)]])
def test_labels_keep_their_type(labels) -> None:
    frame, names = customers().copy(), list(SIZES)
    frame["segment"] = pd.Series([labels[names.index(s)] for s in frame["segment"]])
    before = frame.copy()
    fit = hs.TwoPart().fit(frame, **COLUMNS, seed=1, **QUICKER)
    assert fit.means().index.tolist() == labels
    assert hs.prob_best(fit).index.tolist() == labels
    pd.testing.assert_frame_equal(frame, before)


def test_it_reads_well() -> None:
    text = str(fitted("lognormal"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 88
    assert "who buys, and how much" in lines[0]
    for word in ("customers", "buyers", "tau ~ HalfNormal(0.45)", "sigma ~ TruncatedNormal("):
        assert word in " ".join(text.split())
    assert "none in 'nobody'" in text
    assert repr(fitted()) == (
        "<TwoPartFit: partial pooling of 4 groups, gamma amounts, 4 x 1,000 draws>"
    )
    assert "<table>" in fitted()._repr_html_()


def broken(value, *, rows: int = 1) -> pd.DataFrame:
    frame = customers().copy()
    if isinstance(value, str):
        frame["spent"] = frame["spent"].astype(object)
    frame.loc[frame.index[:rows], "spent"] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            lambda: broken(-3.5),
            r"'spent' \(outcome\) must be 0 .*1 of 1,057 rows.*row 0: -3.5.*ref",
        ),
        (lambda: broken(np.nan), "missing values.*row 0"),
        (lambda: broken(np.inf), "must be finite.*row 0: inf"),
        (lambda: broken("12"), "'spent'.*Python objects|must hold numbers"),
        (lambda: broken(0.0, rows=1057), "nobody bought.*bernoulli"),
        (lambda: customers().iloc[:0], "no rows"),
        (lambda: customers().rename(columns={"spent": "spend"}), "no column 'spent'.*'spend'"),
        (lambda: customers().query("segment in ['large', 'nobody']"), "Only group 'large' has buy"),
        (lambda: customers().query("segment == 'large'"), "Only group 'large' has buyers"),
        (lambda: [1, 2], "frame= takes"),
    ],
)
def test_bad_data(frame, message: str) -> None:
    with pytest.raises(hs.DataError, match=message):
        hs.TwoPart().fit(frame(), **COLUMNS, seed=1, **QUICK)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: hs.TwoPart("log_normal"),
            hs.DataError,
            "gamma or lognormal or normal or student_t; got 'log_normal'.*lognormal'",
        ),
        (
            lambda: hs.TwoPart(pooling=hs.PartialPooling()),
            hs.PriorError,
            r"classes .* without \(\)",
        ),
        (lambda: hs.TwoPart(priors={"tau": hs.HalfNormal(1)}), hs.PriorError, "each part, such as"),
        (lambda: hs.TwoPart(priors={"rate": hs.Normal(0, 1)}), hs.PriorError, "each part, such as"),
        (
            lambda: hs.TwoPart("gamma", priors={"amount": {"sigma": hs.HalfNormal(1)}}).fit(
                customers(), **COLUMNS, **QUICK
            ),
            hs.PriorError,
            "gamma data has no parameter 'sigma'",
        ),
        (lambda: fitted().draws("theta"), hs.HierstanError, "mean; got 'theta'"),
        (lambda: fitted().means(prob=2), hs.HierstanError, "prob="),
        (lambda: hs.prob_best(fitted(), scale="log"), hs.HierstanError, "scale="),
        (lambda: hs.uplift(fitted(), control="medum"), hs.DataError, "Did you mean 'medium'"),
    ],
)
def test_bad_arguments(call, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# simulation ---------------------------------------------------------------------------------------


def covered(repeats: int, amounts: str) -> np.ndarray:
    """Whether 90% intervals hold the true revenue, (repeats, J), segments drawn from the model."""
    sizes = np.array([4, 10, 20, 50, 100, 200, 400, 1000])
    held = []
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        rate = special.expit(rng.normal(-1.5, 0.5, len(sizes)))
        amount = np.exp(rng.normal(3, 0.3, len(sizes)))
        segment = np.repeat(np.arange(len(sizes)), sizes)
        if amounts == "gamma":
            spent = rng.gamma(1.5, amount[segment] / 1.5)
        else:
            spent = amount[segment] * rng.lognormal(-0.32, 0.8, len(segment))
        spent *= rng.random(len(segment)) < rate[segment]
        frame = pd.DataFrame({"segment": segment, "spent": spent})
        fit = hs.TwoPart(amounts).fit(frame, **COLUMNS, seed=repeat + 1, **QUICKER)
        means = fit.means()
        held.append(((rate * amount) > means["lower"]) & ((rate * amount) < means["upper"]))
    return np.array(held)


@pytest.mark.slow
@pytest.mark.parametrize("amounts", FAMILIES)
def test_intervals_hold_what_they_promise(amounts: str) -> None:
    held = covered(8, amounts)
    assert abs(held.mean() - 0.90) < 3 * np.sqrt(0.09 / held.size)


@pytest.mark.campaign
@pytest.mark.parametrize("amounts", FAMILIES)
def test_intervals_hold_what_they_promise_in_many_shops(amounts: str) -> None:
    held = covered(150, amounts)
    assert abs(held.mean() - 0.90) < 3 * np.sqrt(0.09 / held.size) + 0.005
    assert (np.abs(held.mean(axis=0) - 0.90) < 4 * np.sqrt(0.09 / len(held)) + 0.01).all()


# refunds and totals -------------------------------------------------------------------------------


def net() -> pd.DataFrame:
    """Revenue per customer, refunds among it; the last segment had none at all."""
    rng = np.random.default_rng(5)
    segment = np.repeat(["a", "b", "c", "nobody"], [300, 200, 60, 20])
    spent = np.where(rng.random(580) < 0.3, rng.normal(20, 8, 580).round(2), 0.0)
    spent[rng.random(580) < 0.03] *= -1
    spent[segment == "nobody"] = 0.0
    return pd.DataFrame({"segment": segment, "spent": spent})


def totals(frame: pd.DataFrame) -> pd.DataFrame:
    """Customers, buyers, revenue and squares of each segment."""
    rows = frame.assign(n=1, bought=frame["spent"] != 0, squares=frame["spent"] ** 2)
    return rows.groupby("segment", sort=False, as_index=False)[
        ["n", "bought", "spent", "squares"]
    ].sum()


TOTALS = {"group": "segment", "customers": "n", "buyers": "bought"}
TOTALS |= {"revenue": "spent", "squares": "squares"}


@pytest.mark.parametrize("amounts", ["normal", "student_t"])
def test_refunds_are_amounts_below_zero(amounts: str) -> None:
    frame = net()
    fit = hs.TwoPart(amounts).fit(frame, **COLUMNS, seed=1, **QUICK)
    means = fit.means()
    grouped = frame.groupby("segment", sort=False)["spent"]
    np.testing.assert_allclose(means["raw"], grouped.mean())
    assert means["buyers"].tolist() == grouped.apply(lambda y: int((y != 0).sum())).tolist()
    rate, amount = fit.rate.draws("theta"), fit.amount.draws("theta")
    expected = amount / (1 + np.exp(-rate[:, :3]))
    np.testing.assert_allclose(fit.draws("mean")[:, :3], expected)
    np.testing.assert_allclose(fit.draws("amount")[:, :3], amount)
    assert hs.prob_best(fit).sum() == pytest.approx(1)
    best = (fit.draws("mean").argmax(axis=1)[:, None] == np.arange(4)).mean(axis=0)
    np.testing.assert_allclose(hs.prob_best(fit), best)
    assert np.isfinite(hs.shrinkage(fit)[["mean", "sd", "raw"]]).all(axis=None)
    assert np.isfinite(hs.winners_curse(fit).table["replicates"]).all()
    assert hs.group_means(fit, scale="link").equals(hs.group_means(fit))


def test_revenue_per_customer_has_the_standard_error_of_customers() -> None:
    frame = net()
    fit = hs.TwoPart("normal", pooling=hs.NoPooling).fit(frame, **COLUMNS, seed=1, **QUICK)
    sem = frame.groupby("segment", sort=False)["spent"].sem().to_numpy()[:2]
    np.testing.assert_allclose(fit.raw()["raw_se"][:2], sem, rtol=0.1)
    np.testing.assert_allclose(fit.means()["sd"][:2], sem, rtol=0.1)


def test_totals_say_as_much_as_rows() -> None:
    frame = net()
    model = hs.TwoPart("normal")
    rows = model.fit(frame, **COLUMNS, seed=1, **QUICK)
    summed = model.fit(totals(frame), **TOTALS, seed=1, **QUICK)
    days = pd.concat([totals(frame[::2]), totals(frame[1::2])])
    daily = model.fit(days, **TOTALS, seed=1, **QUICKER)
    for other in (summed, daily):
        pd.testing.assert_frame_equal(other.data.table, rows.data.table)
        for name in ("y", "count", "squares"):
            np.testing.assert_allclose(other.amount.data.cells[name], rows.amount.data.cells[name])
    error = np.hypot(*(mcse(fit, fit.draws("mean")) for fit in (rows, summed)))
    apart = np.abs(rows.means()["mean"] - summed.means()["mean"])
    assert (apart < TIMES * error).all()
    assert "580 customers" in str(summed)


@pytest.mark.slow
def test_what_totals_and_refunds_need_is_said(tmp_path: Path) -> None:
    frame = net()
    with pytest.raises(hs.DataError, match="amounts='normal'"):
        hs.TwoPart().fit(frame, **COLUMNS)
    with pytest.raises(hs.DataError, match="too little for amounts='gamma'"):
        hs.TwoPart("gamma").fit(totals(frame), **TOTALS)
    assert hs.TwoPart().fit(totals(frame), **TOTALS, seed=1, **QUICKER).model.amounts == "normal"
    with pytest.raises(hs.DataError, match="either outcome=, with one row per customer, or"):
        hs.TwoPart("normal").fit(totals(frame), **{**TOTALS, "squares": None})
    with pytest.raises(hs.DataError, match="sum of the squares"):
        hs.TwoPart("normal").fit(totals(frame).assign(squares=1.0), **TOTALS)
    fit = hs.TwoPart("normal").fit(totals(frame), **TOTALS, seed=1, **QUICKER)
    fit.save(tmp_path / "fit.nc")
    assert str(hs.load(tmp_path / "fit.nc")) == str(fit)


def spent(draw: Callable[[np.random.Generator, int], np.ndarray], seed: int = 1) -> pd.DataFrame:
    """Return three variants of 500 visitors, one in five of whom buys."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(1500) < 0.2, draw(rng, 1500), 0.0)
    return pd.DataFrame({"segment": np.repeat(["small", "medium", "large"], 500), "spent": y})


def test_amounts_are_lognormal_unless_they_are_clearly_gamma() -> None:
    heavy = spent(lambda rng, n: rng.lognormal(3, 1.5, n))
    light = spent(lambda rng, n: rng.gamma(1.5, 20, n))
    chosen = {
        name: hs.TwoPart(priors=priors).fit(frame, **COLUMNS, seed=1, **QUICKER).model.amounts
        for name, frame, priors in (
            ("heavy", heavy, None),
            ("light", light, None),
            ("a prior of gamma's own", heavy, {"amount": {"shape": hs.LogNormal(0, 1)}}),
        )
    }
    assert chosen == {
        "heavy": "lognormal",
        "light": "gamma",
        "a prior of gamma's own": "gamma",
    }


@pytest.mark.parametrize("family", ["lognormal", "gamma"])
def test_amounts_at_their_likeliest(family: str) -> None:
    frame = spent(lambda rng, n: rng.gamma(1.5, 20, n))
    buyers = frame[frame["spent"] > 0]
    data = hs.GroupedData.from_rows(buyers, group="segment", outcome="spent", family=family)
    parts = [part["spent"].to_numpy() for _, part in buyers.groupby("segment")]

    def log_lik(own: float) -> float:
        if family == "gamma":
            return sum(stats.gamma.logpdf(y, own, scale=y.mean() / own).sum() for y in parts)
        medians = [np.exp(np.log(y).mean()) for y in parts]
        pairs = zip(parts, medians, strict=True)
        return sum(stats.lognorm.logpdf(y, own, scale=median).sum() for y, median in pairs)

    best = max(log_lik(own) for own in np.linspace(0.3, 4, 2000))
    assert data.cells.shape[0] == 3
    found = families.FAMILIES[family].best_log_lik(data.cells)
    assert found == pytest.approx(best, abs=0.05)


@pytest.mark.parametrize(
    "given",
    [
        {"group": ["segment", "device"]},
        {"group": "segment", "factors": ["device"]},
        {"group": "segment", "predictors": ["size"]},
    ],
)
def test_groups_with_structure_are_refused_with_a_cure(given: dict) -> None:
    frame = customers().assign(device="app", size=1.0)
    with pytest.raises(hs.DataError, match="Join the columns of the groups into one; or fit the"):
        hs.TwoPart("gamma").fit(frame, outcome="spent", **given, **QUICK)

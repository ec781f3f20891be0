"""Prior distributions: densities and quantiles, refusals, and fit with their parameters."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from programs import POOLINGS, small_data
from scipy import integrate, special, stats

import hierstan as hs
from hierstan.priors import PRIORS, Prior, log_density_of_each, normal_quantile

# Each prior's density, written out as in the Stan Functions Reference.
DENSITIES = {
    hs.Normal(-1, 2): lambda x: np.exp(-(((x + 1) / 2) ** 2) / 2) / (2 * math.sqrt(2 * math.pi)),
    hs.StudentT(3, -1, 2): lambda x: (
        special.gamma(2)
        / special.gamma(1.5)
        / (2 * math.sqrt(3 * math.pi))
        * (1 + ((x + 1) / 2) ** 2 / 3) ** -2
    ),
    hs.Cauchy(1, 0.5): lambda x: 1 / (math.pi * 0.5 * (1 + ((x - 1) / 0.5) ** 2)),
    hs.HalfNormal(3): lambda x: math.sqrt(2 / math.pi) / 3 * np.exp(-((x / 3) ** 2) / 2),
    hs.TruncatedNormal(1.5, 2): lambda x: stats.norm.pdf(x, 1.5, 2) / stats.norm.sf(0, 1.5, 2),
    hs.HalfStudentT(4, 2): lambda x: (
        2
        * special.gamma(2.5)
        / special.gamma(2)
        / (2 * math.sqrt(4 * math.pi))
        * (1 + (x / 2) ** 2 / 4) ** -2.5
    ),
    hs.HalfCauchy(5): lambda x: 2 / (math.pi * 5 * (1 + (x / 5) ** 2)),
    hs.Exponential(4): lambda x: 4 * np.exp(-4 * x),
    hs.Gamma(2, 0.5): lambda x: 0.5**2 / special.gamma(2) * x * np.exp(-0.5 * x),
    hs.InverseGamma(3, 2): lambda x: 2**3 / special.gamma(3) * x**-4.0 * np.exp(-2 / x),
    hs.LogNormal(0.5, 0.8): lambda x: (
        np.exp(-(((np.log(x) - 0.5) / 0.8) ** 2) / 2) / (x * 0.8 * math.sqrt(2 * math.pi))
    ),
    hs.Uniform(-2, 3): lambda x: np.where((x >= -2) & (x <= 3), 1 / 5, 0.0),
}
EVERY = pytest.mark.parametrize("prior", DENSITIES, ids=str)


def test_every_kind_is_tried() -> None:
    of_numbers = [type(prior).__name__ for prior in DENSITIES]
    assert sorted([*of_numbers, "Dirichlet"]) == sorted(PRIORS)  # it: tests/families/test_ordinal
    assert all(getattr(hs, name) is kind for name, kind in PRIORS.items())


@EVERY
def test_log_density(prior: Prior) -> None:
    x = np.array([[0.1, 0.7, 1.3], [2.9, 4.0, 25.0]])
    with np.errstate(divide="ignore"):
        expected = np.log(DENSITIES[prior](x))
    np.testing.assert_allclose(prior.log_density(x), expected, rtol=1e-12)


@EVERY
def test_a_density_is_one_in_all_and_nothing_outside_its_support(prior: Prior) -> None:
    low, high = (float(prior.quantile(q)) for q in (1e-4, 1 - 1e-4))
    middle = float(prior.quantile(0.5))
    mass = sum(
        integrate.quad(lambda x: np.exp(prior.log_density(x)), *part, limit=200)[0]
        for part in ((low, middle), (middle, high))
    )
    assert mass == pytest.approx(1 - 2e-4, abs=1e-7)
    if prior.positive:
        assert prior.log_density(-1e-9) == -np.inf
        assert low >= 0


@EVERY
def test_quantiles_undo_the_distribution_function(prior: Prior) -> None:
    probabilities = np.array([0.01, 0.25, 0.5, 0.9])
    quantiles = prior.quantile(probabilities)
    start = 0.0 if prior.positive else -np.inf
    if isinstance(prior, hs.Uniform):
        start = prior.lower
    below = [integrate.quad(DENSITIES[prior], start, q, limit=200)[0] for q in quantiles]
    np.testing.assert_allclose(below, probabilities, atol=1e-7)


@EVERY
def test_ends_and_far_tails_are_those_of_the_support(prior: Prior) -> None:
    ends, far = prior.quantile([0.0, 1.0]), prior.quantile([1e-9, 1 - 1e-9])
    lower = prior.lower if isinstance(prior, hs.Uniform) else 0.0 if prior.positive else -np.inf
    upper = prior.upper if isinstance(prior, hs.Uniform) else np.inf
    assert ends.tolist() == [lower, upper]
    assert lower <= far[0] < far[1] <= upper
    assert np.isfinite(far).all()
    beyond = prior.log_density([-np.inf, np.inf, np.nan])
    assert (beyond[:2] == -np.inf).all()
    assert not beyond[2] > -np.inf


def test_normal_quantiles_are_those_of_scipy() -> None:
    q = np.concatenate([np.geomspace(1e-300, 0.5, 200), 1 - np.geomspace(1e-16, 0.5, 200)])
    np.testing.assert_allclose(normal_quantile(q), stats.norm.ppf(q), rtol=1e-13, atol=1e-15)
    assert normal_quantile(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
    assert np.isnan(normal_quantile(np.array([-0.1, 1.1, np.nan]))).all()


def test_medians_that_the_docs_promise() -> None:
    assert hs.HalfNormal(5).quantile(0.5) == pytest.approx(5 * stats.norm.ppf(0.75))
    assert hs.HalfCauchy(5).quantile(0.5) == pytest.approx(5)
    assert hs.Uniform(2, 4).quantile([0, 0.5, 1]).tolist() == [2, 3, 4]


@EVERY
def test_a_prior_reads_as_it_is_written(prior: Prior) -> None:
    assert eval(str(prior), {name: getattr(hs, name) for name in PRIORS}) == prior
    assert hash(prior) == hash(type(prior)(**prior.numbers()))
    assert all(type(number) is float for number in prior.numbers().values())


def test_many_priors_at_once_are_each_of_them() -> None:
    many = [*DENSITIES, *(hs.Normal(place, 2) for place in range(3)), hs.HalfNormal(1)]
    x = np.array([-0.5, 0.3, 2.0])
    together = log_density_of_each(many, x)
    np.testing.assert_array_equal(together, np.stack([p.log_density(x) for p in many], axis=1))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float32("inf")])
def test_numbers_must_be_finite(number: float) -> None:
    with pytest.raises(hs.PriorError, match="Normal: scale must be finite, .* An improper prior"):
        hs.Normal(0, number)


@pytest.mark.parametrize(
    "number", [True, "1", None, [1.0], np.array([1.0]), np.True_, 1j, np.complex128(1)]
)
def test_numbers_must_be_numbers(number: object) -> None:
    with pytest.raises(hs.PriorError, match="HalfNormal: scale must be a number, got"):
        hs.HalfNormal(number)  # type: ignore[arg-type]


@EVERY
@pytest.mark.parametrize("number", [0, -1.5])
def test_scales_rates_and_shapes_are_above_zero(prior: Prior, number: float) -> None:
    kind, numbers = type(prior), prior.numbers()
    for field in set(numbers) - {"location", "lower", "upper"}:
        words = f"{kind.__name__}: {field} must be above 0, got {number}"
        with pytest.raises(hs.PriorError, match=words):
            kind(**numbers | {field: number})


@pytest.mark.parametrize(("lower", "upper"), [(1, 1), (2, 1)])
def test_a_uniform_needs_room(lower: float, upper: float) -> None:
    with pytest.raises(hs.PriorError, match="lower must be below upper"):
        hs.Uniform(lower, upper)


def test_numpy_numbers_are_numbers() -> None:
    assert hs.Normal(np.int64(1), np.float32(2)) == hs.Normal(1.0, 2.0)


# with their parameters --------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["mu", "theta"])
def test_a_location_takes_no_positive_prior(parameter: str) -> None:
    model = hs.NoPooling if parameter == "theta" else hs.PartialPooling
    with pytest.raises(hs.PriorError, match=rf"'{parameter}' can take any value, but HalfNormal"):
        model(priors={parameter: hs.HalfNormal(1)})
    model(priors={parameter: hs.StudentT(3, 0, 1)})


@pytest.mark.parametrize("parameter", ["tau", "sigma", "phi", "shape", "nu"])
def test_a_positive_parameter_takes_a_positive_prior(parameter: str) -> None:
    with pytest.raises(hs.PriorError, match=rf"'{parameter}' is positive, but Normal\(0, 1\)"):
        hs.PartialPooling(priors={parameter: hs.Normal(0, 1)})
    with pytest.raises(hs.PriorError, match="but Uniform.* starts at -1"):
        hs.PartialPooling(priors={parameter: hs.Uniform(-1, 1)})
    hs.PartialPooling(priors={parameter: hs.Gamma(2, 0.1)})


@pytest.mark.parametrize("prior", [1.0, "normal(0, 1)", (0, 1), hs.Normal, stats.norm(0, 1)])
def test_a_prior_must_be_one(prior: object) -> None:
    with pytest.raises(hs.PriorError, match=r"The prior of 'mu' must be a prior such as"):
        hs.CompletePooling(priors={"mu": prior})  # type: ignore[dict-item]


def test_a_uniform_prior_on_tau_warns_where_it_is_written() -> None:
    with pytest.warns(hs.HierstanWarning) as caught:
        hs.PartialPooling(priors={"tau": hs.Uniform(0, 100)})
    (warning,) = caught
    words = str(warning.message)
    assert "favours large values" in words
    assert "with few groups" in words  # why
    assert "half-normal (hs.HalfNormal)" in words  # what instead
    assert warning.filename == __file__
    with warnings.catch_warnings():  # elsewhere a uniform prior is the user's business
        warnings.simplefilter("error")
        hs.PartialPooling(priors={"mu": hs.Uniform(-5, 5), "sigma": hs.Uniform(0, 9)})


VALID = {
    ("complete", "binomial"): ["mu"],
    ("none", "normal"): ["sigma", "theta"],
    ("partial", "normal_known"): ["mu", "tau"],
    ("partial", "student_t"): ["mu", "nu", "sigma", "tau"],
    ("partial", "neg_binomial"): ["mu", "phi", "tau"],
    ("partial", "gamma"): ["mu", "shape", "tau"],
}


@pytest.mark.parametrize(("pooling", "family"), VALID)
def test_an_unknown_name_lists_the_valid_ones(pooling: str, family: str) -> None:
    valid = VALID[pooling, family]
    model = POOLINGS[pooling](priors={"kappa": hs.HalfNormal(1)})
    with pytest.raises(hs.PriorError) as caught:
        model.fit(small_data(family), engine="stanli")
    assert "has no parameter 'kappa'" in str(caught.value)
    assert f"Valid names are {', '.join(valid)}." in str(caught.value)
    assert sorted(POOLINGS[pooling]().resolve_priors(small_data(family))) == valid


def test_fit_poolings_hands_each_model_its_own() -> None:
    priors = {"mu": hs.Normal(0, 3), "tau": hs.HalfNormal(2), "theta": hs.Normal(1, 4)}
    data = small_data("normal_known")
    fits = hs.fit_poolings(data, priors=priors, seed=1, engine="stanli", draws=50, warmup=50)
    assert {name: fit.priors for name, fit in fits.items()} == {
        "complete": {"mu": priors["mu"]},
        "none": {"theta": priors["theta"]},
        "partial": {"mu": priors["mu"], "tau": priors["tau"]},
    }
    with pytest.raises(hs.PriorError, match=r"a parameter 'kappa'.* are mu, tau, theta\."):
        hs.fit_poolings(data, priors={"kappa": hs.HalfNormal(1)})


def test_default_priors_follow_the_unit_of_the_data() -> None:
    frame = hs.load_dataset("eight_schools")
    columns = {"group": "school", "estimate": "effect", "se": "se"}
    priors = hs.PartialPooling().resolve_priors(hs.GroupedData.from_estimates(frame, **columns))
    frame[["effect", "se"]] *= 1000
    scaled = hs.PartialPooling().resolve_priors(hs.GroupedData.from_estimates(frame, **columns))
    for name, prior in priors.items():
        for number, value in prior.numbers().items():
            assert scaled[name].numbers()[number] == pytest.approx(1000 * value)
    # the documented formulas: the mean and the standard deviation of the effects
    schools = hs.load_dataset("eight_schools")
    spread = max(schools["effect"].std(ddof=1), schools["se"].median())
    assert priors["tau"].scale == pytest.approx(spread * 10 / 7)
    assert priors["mu"].location == pytest.approx(schools["effect"].mean())
    assert priors["mu"].scale == pytest.approx(10 * spread)


def test_a_location_is_shown_to_a_fraction_of_its_scale() -> None:
    assert str(hs.Normal(299_792.456, 0.44)) == "Normal(299792.456, 0.44)"
    assert str(hs.StudentT(3, -1_000_000.5, 1.0)) == "StudentT(3, -1000000.5, 1)"
    assert str(hs.Normal(8.75, 27.5)) == "Normal(8.75, 27.5)"


@pytest.mark.parametrize("family", ["binomial", "bernoulli", "poisson", "gamma"])
def test_default_priors_of_rates_do_not_depend_on_how_much_data_there_is(family: str) -> None:
    priors = hs.PartialPooling().resolve_priors(small_data(family))
    assert priors["tau"] == hs.HalfNormal(1)
    assert priors["mu"].numbers()["scale"] == 1.5
    assert not any(isinstance(prior, hs.Uniform) for prior in priors.values())


def test_default_priors_of_log_odds_that_are_far_apart_make_room_for_them() -> None:
    def priors(y: list[int], n: list[int]) -> dict[str, hs.priors.Prior]:
        frame = pd.DataFrame({"g": range(len(y)), "y": y, "n": n})
        data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
        return hs.PartialPooling().resolve_priors(data)

    far = priors([10, 500, 990], [1000] * 3)
    link = np.log(np.array([10.5, 500.5, 990.5]) / np.array([990.5, 500.5, 10.5]))
    variance = 1 / np.array([10.5, 500.5, 990.5]) + 1 / np.array([990.5, 500.5, 10.5])
    apart = 5 / 2 * np.sqrt(link.var(ddof=1) - 2 * variance.mean())
    assert far["tau"].scale == pytest.approx(apart, rel=1e-6)
    assert far["mu"].scale == pytest.approx(3 * apart, rel=1e-6)
    for near in (
        priors([50, 60, 70], [1000] * 3),
        priors([612_345, 3, 0], [10**7, 10, 10]),
        priors([0, 1, 3], [4, 4, 4]),
    ):
        assert near["tau"] == hs.HalfNormal(1)
        assert near["mu"].scale == 1.5


def test_default_priors_of_log_means_that_are_far_apart_make_room_for_them() -> None:
    def priors(events: list[int], exposure: list[float]) -> dict[str, hs.priors.Prior]:
        frame = pd.DataFrame({"g": range(len(events)), "y": events, "t": exposure})
        data = hs.GroupedData.from_events(frame, group="g", events="y", exposure="t")
        return hs.PartialPooling().resolve_priors(data)

    events = np.array([8, 90, 2000])
    far = priors([*events], [1.0] * 3)
    beyond = np.log(events).var(ddof=1) - 2 * (1 / events).mean()
    assert far["tau"].scale == pytest.approx(5 / 2 * np.sqrt(beyond), rel=0.02)
    assert far["mu"].scale == pytest.approx(3 * far["tau"].scale, rel=1e-6)
    in_days = priors([*events], [365.0] * 3)
    assert in_days["tau"].scale == pytest.approx(far["tau"].scale, rel=1e-6)
    for near in (priors([50, 60, 70], [1.0] * 3), priors([0, 1, 3], [4.0] * 3)):
        assert near["tau"] == hs.HalfNormal(1)
        assert near["mu"].scale == 1.5


def test_default_priors_of_constant_data_are_proper() -> None:
    frame = pd.DataFrame({"g": ["a", "a", "b", "b"], "y": [3.0, 3.0, 3.0, 3.0]})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y")
    priors = hs.PartialPooling().resolve_priors(data)
    assert priors["sigma"] == hs.HalfNormal(3)

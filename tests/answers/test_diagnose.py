"""The table of every parameter, and the verdict on draws that are known to be good or bad."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import xarray as xr

import hierstan as hs
from hierstan.fit import judgement
from hierstan.fit.once import once
from hierstan.sampling.arrays import Sampled
from hierstan.sampling.convergence import Convergence, check_convergence

LINE = 88


def eight_schools(**changes: float) -> hs.GroupedData:
    frame = hs.load_dataset("eight_schools").assign(**changes)
    return hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")


def baseball() -> hs.GroupedData:
    return hs.GroupedData.from_counts(
        hs.load_dataset("baseball"), group="player", successes="hits", trials="at_bats"
    )


def fitted(model: object, data: hs.GroupedData, **options: object) -> hs.Fit:
    return model.fit(data, **{"seed": 1, "engine": "stanli", "progress": False} | options)


@pytest.fixture(scope="module")
def good() -> hs.Fit:
    return fitted(hs.PartialPooling(), eight_schools())


@pytest.fixture(scope="module")
def players() -> hs.Fit:
    return fitted(hs.PartialPooling(), baseball())


def with_measures(fit: hs.Fit, found: Convergence, **more: object) -> hs.Fit:
    """The same fit with other measures of convergence."""
    changed = dataclasses.replace(fit, **more)
    once(changed, (check_convergence,), lambda: found)
    return changed


def with_draws(fit: hs.Fit, posterior: xr.Dataset) -> hs.Fit:
    """The same fit with other draws."""
    groups = {path: node.to_dataset() for path, node in fit.idata.subtree_with_keys}
    idata = xr.DataTree.from_dict(groups | {"posterior": posterior})
    return dataclasses.replace(fit, kept=Sampled(idata))


# summary ----------------------------------------------------------------------------------------


def test_summary_has_a_line_for_every_parameter(good: hs.Fit) -> None:
    table = hs.summary(good)
    groups = [f"theta[{school}]" for school in "ABCDEFGH"]
    assert table.index.tolist() == ["mu", "tau", "theta_new", *groups]
    assert table.index.name == "parameter"
    assert table.columns.tolist() == [
        "mean", "sd", "lower", "upper", "ess_bulk", "ess_tail", "r_hat", "mcse_mean",
        "prob_positive",
    ]  # fmt: skip
    assert table.drop(columns="prob_positive").notna().all(axis=None)
    assert table["prob_positive"].notna().tolist() == [True, False, *[True] * 9]
    above = (good.draws("mu") > 0).mean()
    assert table.loc["mu", "prob_positive"] == pytest.approx(above)


def test_summary_is_plain_arithmetic(good: hs.Fit) -> None:
    table = hs.summary(good, prob=0.5)
    theta = good.draws("theta")[:, 2]
    line = table.loc["theta[C]"]
    assert line["mean"] == pytest.approx(theta.mean())
    assert line["sd"] == pytest.approx(theta.std(ddof=1))
    assert [line["lower"], line["upper"]] == pytest.approx(np.quantile(theta, [0.25, 0.75]))
    assert "25% and 75% quantiles, an equal-tailed 50% interval" in table.attrs["caption"]


def test_summary_agrees_with_arviz(good: hs.Fit) -> None:
    import arviz_stats as azs

    ours = hs.summary(good)
    theirs = azs.summary(good.idata, kind="all", ci_prob=0.9, ci_kind="eti", round_to="none")
    theirs = theirs.loc[ours.index].astype(float)
    for column, rtol in {"mean": 1e-9, "sd": 1e-3, "r_hat": 1e-9, "ess_bulk": 1e-9}.items():
        np.testing.assert_allclose(ours[column], theirs[column], rtol=rtol, err_msg=column)


def test_summary_of_the_response_transforms_draws_not_numbers(players: hs.Fit) -> None:
    link, response = hs.summary(players), hs.summary(players, scale="response")
    rates = 1 / (1 + np.exp(-players.draws("theta")[:, 0]))
    line = response.loc["theta[Clemente]"]
    assert line["mean"] == pytest.approx(rates.mean())
    assert line["upper"] == pytest.approx(np.quantile(rates, 0.95))
    assert 0.2 < response.loc["mu", "mean"] < 0.3 > response.loc["theta_new", "mean"]
    assert response.loc["tau"].equals(link.loc["tau"])
    # ranks decide, and a link keeps them
    np.testing.assert_allclose(response["ess_bulk"], link["ess_bulk"])
    assert "the log-odds" in link.attrs["caption"]
    assert "response scale (rate)" in response.attrs["caption"]


def test_summary_covers_the_familys_own_parameters() -> None:
    data = hs.GroupedData.from_rows(
        hs.load_dataset("dyes"), group="batch", outcome="yield", family="student_t"
    )
    index = hs.summary(fitted(hs.NoPooling(), data)).index
    assert {"sigma", "nu", "theta[A]"} <= set(index)
    assert "mu" not in index


@pytest.mark.parametrize("prob", [0, 1, 90, -0.1, True, "0.9"])
def test_summary_refuses_impossible_probabilities(good: hs.Fit, prob: object) -> None:
    with pytest.raises(hs.HierstanError, match=re.escape(repr(prob))):
        hs.summary(good, prob=prob)


def test_summary_refuses_what_it_cannot_do(good: hs.Fit) -> None:
    with pytest.raises(hs.HierstanError, match="'response' or 'link'.*'logit'"):
        hs.summary(good, scale="logit")
    for verb in (hs.summary, hs.diagnose):
        with pytest.raises(hs.HierstanError, match=r"takes a fit, got a dict.*fits\['partial'\]"):
            verb({"partial": good})


# diagnose ---------------------------------------------------------------------------------------


def test_good_draws_are_trusted(good: hs.Fit, players: hs.Fit) -> None:
    for fit in (good, players):
        found = hs.diagnose(fit)
        assert found.ok is True
        assert found.messages == ()
        assert found.table["ok"].all()
        assert "can be trusted" in str(found)


def test_centered_eight_schools_diverge_and_the_message_says_what_to_do() -> None:
    fit = fitted(hs.PartialPooling(parameterization="centered"), eight_schools())
    found = hs.diagnose(fit)
    n = int(fit.idata["sample_stats"]["diverging"].sum())
    assert n > 0
    assert not found.ok
    first = found.messages[0]
    assert first.startswith(f"{n} of 4,000 transitions")
    cures = ("parameterization='auto'", "adapt_delta to 0.99 (it was 0.9)", "tighter prior")
    positions = [first.index(cure) for cure in cures]
    assert positions == sorted(positions)
    assert found.table.loc["divergences", "worst"] == n
    assert not found.table.loc["divergences", "ok"]


def test_the_cure_works() -> None:
    fit = fitted(hs.PartialPooling(parameterization="auto"), eight_schools(), adapt_delta=0.99)
    assert hs.diagnose(fit).ok


def test_a_heavy_tailed_prior_is_named_with_a_lighter_one() -> None:
    model = hs.PartialPooling(parameterization="noncentered", priors={"tau": hs.HalfCauchy(25)})
    fit = fitted(model, eight_schools(), adapt_delta=0.5, draws=500, warmup=100)
    found = hs.diagnose(fit)
    assert not found.ok
    message = next(text for text in found.messages if "diverged" in text)
    assert "lighter tail than HalfCauchy(25), such as hs.HalfNormal(37)" in message
    half_normal, half_cauchy = hs.HalfNormal(37).quantile(0.5), hs.HalfCauchy(25).quantile(0.5)
    assert half_normal == pytest.approx(half_cauchy, rel=0.01)


def test_too_few_draws_are_named_with_a_number_that_suffices() -> None:
    fit = fitted(hs.CompletePooling(), eight_schools(), draws=100)
    found = hs.diagnose(fit)
    assert not found.ok
    message = next(text for text in found.messages if "ESS" in text)
    assert "below 400" in message
    needed = int(re.search(r"draws=(\d+)", message)[1])
    assert hs.diagnose(fitted(hs.CompletePooling(), eight_schools(), draws=needed)).ok


def test_chains_stuck_apart_are_not_trusted(good: hs.Fit) -> None:
    # two chains of the schools, two of schools with effects 60 points higher
    schools = hs.load_dataset("eight_schools")
    other = fitted(hs.PartialPooling(), eight_schools(effect=schools["effect"] + 60)).posterior
    own = good.posterior.isel(chain=slice(2))
    both = xr.concat([own, other.isel(chain=slice(2, 4))], dim="chain")
    fit = with_draws(good, both)
    found = hs.diagnose(fit)
    assert not found.ok
    message = next(text for text in found.messages if text.startswith("R-hat"))
    assert "are in different places (means of" in message
    assert "cannot be used" in message
    worst = found.table.loc["R-hat", "where"]
    means = re.search(rf"means of {re.escape(worst)}: (.*?)\)", message)[1].split(", ")
    assert len(means) == 4
    assert min(map(float, means[2:])) > max(map(float, means[:2])) + 30


def test_a_parameter_that_never_moved_is_not_trusted(good: hs.Fit) -> None:
    still = good.posterior.assign(tau=xr.full_like(good.posterior["tau"], 2.5))
    found = hs.diagnose(with_draws(good, still))
    assert not found.ok
    assert "tau did not move: every draw is 2.5" in found.messages[0]


def test_a_single_chain_is_said_to_be_one() -> None:
    found = hs.diagnose(fitted(hs.CompletePooling(), eight_schools(), chains=1, draws=2000))
    assert found.ok
    assert "R-hat compares its two halves" in found.messages[-1]
    assert "chains=4" in found.messages[-1]


def test_three_draws_are_too_few_to_tell() -> None:
    found = hs.diagnose(fitted(hs.CompletePooling(), eight_schools(), chains=2, draws=3))
    assert not found.ok
    assert "at least 4 draws in each chain, there are 3" in found.messages[0]
    assert "nan" not in str(found)


@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_draws_from_the_prior_are_diagnosed_too(model: type) -> None:
    found = hs.diagnose(fitted(model(), eight_schools(), prior_only=True))
    assert found.ok
    assert str(found).startswith("Prior draws of")


def test_a_prior_that_is_hard_to_draw_from_is_the_priors_fault() -> None:
    model = hs.PartialPooling(priors={"tau": hs.HalfCauchy(25)})
    found = hs.diagnose(fitted(model, eight_schools(), prior_only=True))
    for message in found.messages:
        assert "parameterization" not in message
        assert "posterior" not in message


def test_great_tree_depth_costs_time_but_not_trust(good: hs.Fit) -> None:
    found = dataclasses.replace(good.convergence(), at_depth=0.25)
    fit = with_measures(good, found)
    diagnosis = hs.diagnose(fit)
    assert diagnosis.ok
    assert (
        "25% of the transitions stopped at the greatest tree depth (10, that is 1,023 steps)"
        in (diagnosis.messages[0])
    )
    assert not diagnosis.table.loc[judgement.DEPTH, "ok"]


def test_low_e_bfmi_is_not_trusted(good: hs.Fit) -> None:
    found = dataclasses.replace(good.convergence(), e_bfmi=np.array([0.9, 0.2, 1.0, 0.1]))
    diagnosis = hs.diagnose(with_measures(good, found))
    assert not diagnosis.ok
    assert diagnosis.messages[0].startswith("E-BFMI is below 0.3 in 2 of 4 chains (lowest 0.1)")


def test_no_cure_is_proposed_that_was_taken_already() -> None:
    model = hs.PartialPooling(parameterization="noncentered", priors={"tau": hs.HalfNormal(5)})
    fit = fitted(model, eight_schools(), draws=200)
    found = dataclasses.replace(fit.convergence(), divergences=3)
    options = dict(fit.options) | {"adapt_delta": 0.999}
    fit = with_measures(fit, found, options=options)
    first = hs.diagnose(fit).messages[0]
    assert first.startswith("3 of 800 transitions")
    assert "adapt_delta" not in first
    assert "tighter prior than HalfNormal(5)" in first


def test_a_diagnosis_prints_well() -> None:
    fit = fitted(hs.PartialPooling(parameterization="centered"), eight_schools())
    found = hs.diagnose(fit)
    lines = str(found).split("\n")
    assert max(map(len, lines)) <= LINE
    assert "do not trust these draws yet" in lines[0]
    assert "NOT OK" in str(found)
    assert "<table>" in found._repr_html_()
    assert repr(found) == str(found)


def test_moments_of_a_new_ratio_that_do_not_exist_are_not_printed() -> None:
    frame = hs.load_dataset("eight_schools").assign(effect=lambda f: f["effect"] / 10, se=1.0)
    data = hs.GroupedData.from_estimates(
        frame, group="school", estimate="effect", se="se", measure="OR"
    )
    for prior, finite in ((hs.HalfCauchy(1), 0), (hs.HalfNormal(0.7), 1), (hs.HalfNormal(0.4), 2)):
        fit = fitted(hs.PartialPooling(priors={"tau": prior}), data, draws=300, warmup=300)
        table = hs.summary(fit, scale="response")
        assert np.isfinite(table.loc["theta_new", ["mean", "sd"]]).sum() == finite
        assert np.isfinite(table.drop("theta_new")[["mean", "sd", "mcse_mean"]]).all(axis=None)
        assert (f"tau ~ {prior}" in table.attrs.get("advice", "")) == (finite < 2)
        assert np.isfinite(hs.summary(fit).loc["theta_new", ["mean", "sd"]]).all()

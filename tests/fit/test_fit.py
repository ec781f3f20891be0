"""A fit's draws, and what a person sees of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hierstan as hs
from hierstan.fit import pointwise

LINE = 88


def fitted(model: object, data: hs.GroupedData, **options: object) -> hs.Fit:
    return model.fit(data, **{"seed": 1, "engine": "stanli", "progress": False} | options)


def estimates(frame: pd.DataFrame, group: str, estimate: str) -> hs.GroupedData:
    return hs.GroupedData.from_estimates(frame, group=group, estimate=estimate, se="se")


def of_labels(labels: list) -> hs.GroupedData:
    column = pd.Series(labels, dtype=object)
    n = len(labels)
    return estimates(pd.DataFrame({"g": column, "e": np.arange(n) * 1.0, "se": 1.0}), "g", "e")


def quick(data: hs.GroupedData, model: object | None = None) -> hs.Fit:
    return fitted(model or hs.NoPooling(), data, draws=50, warmup=50, chains=2)


@pytest.fixture(scope="module")
def schools() -> dict[str, hs.Fit]:
    data = estimates(hs.load_dataset("eight_schools"), "school", "effect")
    return hs.fit_poolings(data, seed=1, engine="stanli", progress=False)


@pytest.fixture(scope="module")
def players() -> hs.Fit:
    data = hs.GroupedData.from_counts(
        hs.load_dataset("baseball"), group="player", successes="hits", trials="at_bats"
    )
    return fitted(hs.PartialPooling(priors={"mu": hs.Normal(-1, 1)}), data)


@pytest.fixture(scope="module")
def branches() -> hs.Fit:
    data = estimates(hs.load_dataset("store_satisfaction"), "branch", "score")
    return fitted(hs.PartialPooling(), data)


# draws ------------------------------------------------------------------------------------------


def test_draws_are_chains_one_after_another(schools: dict[str, hs.Fit]) -> None:
    fit = schools["partial"]
    assert fit.draws("mu").shape == (4000,)
    theta = fit.draws("theta")
    assert theta.shape == (4000, 8)
    np.testing.assert_array_equal(theta[1000:2000], fit.posterior["theta"].sel(chain=1))


def test_an_unknown_variable_lists_those_there_are(schools: dict[str, hs.Fit]) -> None:
    with pytest.raises(hs.HierstanError, match=r"complete pooling\).*'tau'.*mu, theta"):
        schools["complete"].draws("tau")


# print ------------------------------------------------------------------------------------------


def test_print_says_what_was_fitted_and_how(players: hs.Fit) -> None:
    text = str(players)
    for part in (
        "Partial pooling: the groups belong to one population, theta[j] ~ normal(mu, tau)",
        "18 groups, 18 observations; successes in trials: binomial, logit link",
        "mu ~ Normal(-1, 1), tau ~ HalfNormal(1) (default)",
        "seed 1; 4 chains x 1,000 draws, 1,000 warmup",
        "R-hat at most 1.00",
        "no divergences",
        "mu (log-odds)",
        "mu as rate",
        "tau (log-odds)",
        "player (rate)",
    ):
        assert part in text
    assert "stanli 0." in text


def test_print_fits_a_terminal(
    schools: dict[str, hs.Fit], players: hs.Fit, branches: hs.Fit
) -> None:
    for fit in (*schools.values(), players, branches):
        lines = str(fit).split("\n")
        assert max(map(len, lines)) <= LINE
        assert all(line == line.rstrip() for line in lines)


def test_print_explains_the_parameterization(players: hs.Fit, branches: hs.Fit) -> None:
    assert re.search(r"theta +between centered and non-centered \(auto: the more a", str(players))
    assert re.search(r"theta +marginal: integrated out, then drawn exactly \(auto:", str(branches))
    asked = fitted(hs.PartialPooling(parameterization="centered"), branches.data, draws=100)
    assert re.search(r"theta +centered, as asked for", str(asked))


def numbers_below(text: str, header: str) -> dict[str, list[float]]:
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    found = {}
    for line in lines[start + 1 :]:
        cells = re.split(r"\s{2,}", line)
        if len(cells) < 5:
            break
        found[cells[0]] = [float(cell.replace(",", "")) for cell in cells[1:]]
    return found


def test_the_printed_numbers_are_those_of_the_draws(players: hs.Fit) -> None:
    rates = players.family.to_response(players.draws("theta"))
    printed = numbers_below(str(players), "player (rate)")
    for column, label in enumerate(players.data.groups[:10]):
        draws = rates[:, column]
        expected = [draws.mean(), draws.std(ddof=1), *np.quantile(draws, [0.05, 0.95])]
        np.testing.assert_allclose(printed[label], expected, atol=0.00051)


def test_mu_and_tau_are_printed_with_their_interval(schools: dict[str, hs.Fit]) -> None:
    text = str(schools["partial"])
    lines = {
        line.split()[0]: line.split()[1:] for line in text.split("\n") if line[:2] in ("mu", "ta")
    }
    for name in ("mu", "tau"):
        draws = schools["partial"].draws(name)
        expected = [draws.mean(), draws.std(ddof=1), *np.quantile(draws, [0.05, 0.95])]
        np.testing.assert_allclose([float(cell) for cell in lines[name]], expected, atol=0.051)


def test_decimal_points_stand_below_each_other(branches: hs.Fit) -> None:
    lines = [line for line in str(branches).split("\n") if line.startswith("Branch ")]
    assert len(lines) == 10
    points = {tuple(match.start() for match in re.finditer(r"\.", line)) for line in lines}
    assert len(points) == 1


def test_many_groups_are_cut_and_counted(branches: hs.Fit, schools: dict[str, hs.Fit]) -> None:
    text = str(branches)
    assert "… and 40 more, see hs.group_means(fit)" in text
    assert "Branch 10" in text
    assert "Branch 11" not in text
    assert "more" not in str(schools["none"])


def test_eleven_groups_need_no_line_that_says_one_more() -> None:
    text = str(quick(of_labels(list("abcdefghijk"))))
    assert "more, see" not in text
    assert "\nk " in text


def test_each_pooling_shows_what_it_has(schools: dict[str, hs.Fit]) -> None:
    assert "school (mean)" not in str(schools["complete"])
    assert "\nmu " in str(schools["complete"])
    assert "\nmu " not in str(schools["none"])
    assert "theta ~ Normal(8.75, 1800) (default)" in str(schools["none"])
    assert [repr(fit) for fit in schools.values()] == [
        "<Fit: complete pooling of 8 groups, normal_known, 4 x 1,000 draws>",
        "<Fit: no pooling of 8 groups, normal_known, 4 x 1,000 draws>",
        "<Fit: partial pooling of 8 groups, normal_known, 4 x 1,000 draws>",
    ]


def test_draws_that_cannot_be_trusted_say_so() -> None:
    data = estimates(hs.load_dataset("eight_schools"), "school", "effect")
    text = str(fitted(hs.PartialPooling(parameterization="centered"), data))
    assert re.search(
        r"Trust +NOT YET \(\d problems?, see hs.diagnose\(fit\)\): R-hat at most", text
    )
    assert "diverged" in text
    assert "parameterization='auto'" in text
    assert max(map(len, text.split("\n"))) <= LINE


def test_reduced_rows_are_counted_as_rows() -> None:
    data = hs.GroupedData.from_rows(hs.load_dataset("dyes"), group="batch", outcome="yield")
    text = str(fitted(hs.PartialPooling(), data))
    assert "6 groups, 30 observations, reduced to 6 summaries; normal" in text
    assert "\nsigma " in text


def test_draws_from_the_prior_are_called_that() -> None:
    data = estimates(hs.load_dataset("eight_schools"), "school", "effect")
    fit = fitted(hs.PartialPooling(), data, prior_only=True)
    assert "draws from the prior, the outcomes ignored" in str(fit).replace("\n", " ")
    assert repr(fit).startswith("<Fit: prior draws of partial pooling")


def test_edited_templates_are_named(tmp_path) -> None:
    folder = hs.copy_templates(tmp_path / "stan")
    file = folder / "partial_pooling.stan"
    file.write_text(file.read_text().replace("// population mean", "// mean of the population"))
    data = estimates(hs.load_dataset("eight_schools"), "school", "effect")
    text = str(fitted(hs.PartialPooling(template_dir=folder), data, draws=100))
    assert re.search(r"Templates +edited:", text)


# labels -----------------------------------------------------------------------------------------


def test_labels_of_any_kind_are_printable() -> None:
    labels = [
        "line\nbreak",
        "\x1b[31mred",
        "x" * 80,
        "東京",
        ("a", 1),
        3.5,
        pd.Timestamp("2026-01-02"),
    ]
    text = str(quick(of_labels(labels)))
    lines = text.split("\n\n")[-2].split("\n")
    assert len(lines) == 1 + len(labels)
    assert "line\\nbreak" in text
    assert "\x1b" not in text
    assert "x" * 31 + "…" in text
    assert "('a', 1)" in text
    assert "2026-01-02" in text


def test_html_is_well_formed_and_escaped() -> None:
    labels = ["<script>alert(1)</script>", "a & b", '"quoted"', "plain"]
    html = quick(of_labels(labels))._repr_html_()
    assert "<script>" not in html
    assert "a &amp; b" in html

    class Checker(HTMLParser):
        open: list[str] = []  # noqa: RUF012
        rows: list[int] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open.append(tag)
            if tag == "tr":
                self.rows.append(0)
            if tag in ("td", "th"):
                self.rows[-1] += 1

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert checker.rows[-5:] == [5] * 5


def test_a_column_name_cannot_break_the_page() -> None:
    frame = hs.load_dataset("eight_schools").rename(columns={"school": "<b>\nschool"})
    fit = quick(estimates(frame, "<b>\nschool", "effect"))
    assert "<b>\\nschool (mean)" in str(fit)
    assert "&lt;b&gt;" in fit._repr_html_()


def test_what_could_not_be_computed_is_tried_again(
    schools: dict[str, hs.Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = fitted(hs.PartialPooling(), schools["partial"].data, draws=20)
    with monkeypatch.context() as patch:
        patch.setattr(pointwise, "keeps_pointwise", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _ = fit.idata
    assert {"log_likelihood", "posterior_predictive"} <= set(fit.idata.children)


def test_arviz_says_how_sensitive_a_fit_is_to_its_priors() -> None:
    from arviz_stats import psense_summary

    frame = pd.DataFrame({"study": list("abcd"), "r": [2, 18, 0, 2], "n": [30] * 4})
    data = hs.GroupedData.from_counts(frame, group="study", successes="r", trials="n")
    priors = {"mu": hs.Normal(0, 2), "tau": hs.HalfNormal(1)}
    fit = hs.PartialPooling(priors=priors).fit(data, seed=1, engine="stanli", progress=False)
    found = fit.idata["log_prior"].to_dataset()
    assert sorted(map(str, found.data_vars)) == ["mu", "tau"]
    by_hand = stats.halfnorm(0, 1).logpdf(fit.posterior["tau"])
    np.testing.assert_allclose(found["tau"], by_hand)
    table = psense_summary(fit.idata, var_names=["mu", "tau"])
    assert table.loc["tau", "prior"] > 0.05
    assert "theta" in fit.idata["log_likelihood"].attrs["conditional_on"]
    alone = hs.NoPooling().fit(data, seed=1, engine="stanli", progress=False)
    prior, theta = alone.priors["theta"], alone.posterior["theta"].to_numpy()
    np.testing.assert_allclose(
        alone.idata["log_prior"]["theta"], prior.log_density(theta).sum(axis=2)
    )

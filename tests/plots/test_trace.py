from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from arviz_plots import PlotCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from pictures import check_picture, close, data_of, fit_of

import hierstan as hs
from hierstan.plots.style import ALERT


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


def figure_of(plots: PlotCollection) -> Figure:
    return plots.viz["figure"].item()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variables"),
    [("schools", ["mu", "tau"]), ("scores", ["mu", "tau", "sigma"]), ("ugly", ["mu", "tau"])],
)
def test_the_parameters_of_the_population(name: str, variables: list[str], tmp_path: Path) -> None:
    plots = hs.plot_trace(fit_of(name))
    assert isinstance(plots, PlotCollection)
    assert list(plots.viz["plot"].data_vars) == variables
    check_picture(figure_of(plots), tmp_path)
    plots.savefig(tmp_path / "arviz.png")


def test_traces_are_the_draws() -> None:
    fit = fit_of("schools")
    plots = hs.plot_trace(fit, "mu")
    for chain in range(4):
        line = plots.viz["trace"]["mu"].sel(chain=chain).item()
        np.testing.assert_array_equal(line.get_ydata(), fit.posterior["mu"].to_numpy()[chain])


def test_divergences_are_marked_and_counted(tmp_path: Path) -> None:
    model = hs.PartialPooling(parameterization="centered", priors={"tau": hs.HalfCauchy(25)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        fit = model.fit(
            data_of("schools"), adapt_delta=0.5, seed=1, engine="stanli", progress=False
        )
    count = int(fit.idata["sample_stats"]["diverging"].sum())
    assert count > 0
    figure = figure_of(hs.plot_trace(fit))
    assert f"{count} of 4,000 transitions diverged" in figure.get_suptitle()
    assert "red marks are divergent transitions" in figure.get_supxlabel()
    marks = [
        part
        for ax in figure.axes
        for part in ax.collections
        if len(part.get_facecolor()) and same_color(part.get_facecolor()[0], ALERT)
    ]
    assert marks
    check_picture(figure, tmp_path)


@pytest.mark.slow
def test_no_pooling_shows_its_groups(tmp_path: Path) -> None:
    plots = hs.plot_trace(fit_of("schools", "none"))
    assert plots.viz["plot"]["theta"].sizes["group"] == 8
    check_picture(figure_of(plots), tmp_path)


@pytest.mark.slow
def test_many_groups_share_a_panel(tmp_path: Path) -> None:
    plots = hs.plot_trace(fit_of("baseball"), ["mu", "theta"])
    assert len(figure_of(plots).axes) == 4
    check_picture(figure_of(plots), tmp_path)


def test_a_prior_can_be_traced() -> None:
    plots = hs.plot_trace(fit_of("schools", prior_only=True))
    assert "none of 4,000 transitions diverged" in figure_of(plots).get_suptitle()


@pytest.mark.parametrize("wrong", ["kappa", ["mu", "kappa"], []])
def test_an_unknown_variable_lists_those_there_are(wrong: str | list[str]) -> None:
    with pytest.raises(hs.HierstanError, match="It has mu, tau, theta, theta_new"):
        hs.plot_trace(fit_of("schools"), wrong)


def test_traces_go_into_axes_of_the_users() -> None:
    import matplotlib.pyplot as plt

    fit = fit_of("schools")
    figure, (_, ax) = plt.subplots(1, 2)
    assert hs.plot_trace(fit, ax=ax, title="Mixed?", labels={"mu": "mean"}) is figure
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["mean", "tau"]
    lines = [line for line in ax.lines if len(line.get_xdata()) == 1000]
    assert len(lines) == 2 * 4
    draws = fit.posterior["tau"].to_numpy()[3]
    inside = (draws > np.quantile(draws, 0.2)) & (draws < np.quantile(draws, 0.8))
    drawn = lines[-1].get_ydata()
    assert np.corrcoef(draws[inside], drawn[inside])[0, 1] == pytest.approx(-1)  # y goes down
    assert ax.get_title(loc="left") == "Mixed?"
    with pytest.raises(hs.HierstanError, match="which theta is not"):
        hs.plot_trace(fit, "theta", ax=ax)


def test_traced_variables_are_called_as_the_user_says() -> None:
    figure = figure_of(hs.plot_trace(fit_of("schools"), labels=["population mean", "spread"]))
    told = {text.get_text() for ax in figure.axes for text in (ax.title, ax.xaxis.label)}
    assert {"population mean", "spread"} <= told

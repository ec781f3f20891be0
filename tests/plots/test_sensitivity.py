from __future__ import annotations

import numpy as np
import pytest
from deciding import schools

import hierstan as hs


def test_the_picture_shows_the_sweep():
    fit = hs.PartialPooling().fit(schools(), seed=1, engine="stanli")
    sensitivity = hs.prior_sensitivity(fit)
    figure = hs.plot_prior_sensitivity(sensitivity)
    ax = figure.axes[0]
    drawn = ax.collections[1].get_offsets()[:, 0]
    assert np.allclose(drawn, sensitivity.sweep["mean"])
    assert ax.get_yticklabels()[0].get_text() == f"{fit.priors['tau']}, as fitted"
    with pytest.raises(hs.HierstanError, match="prior_sensitivity"):
        hs.plot_prior_sensitivity(fit)

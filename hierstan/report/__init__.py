"""One HTML page about fits: self-contained, and fit to be read on a screen, a phone or paper.

Imports from: answers, data, errors, families, fit, plots, priors, text, whole_file.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.report.page import page
from hierstan.report.subject import Subject, Whole
from hierstan.whole_file import target_of, write_whole


def report(
    fits: Mapping[str, Fit] | Mapping[str, TwoPartFit] | Mapping[str, Whole] | Whole,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    question: str | None = None,
    unit: str = "observation",
    prob: float | None = None,
    control: object = None,
    caring: float | None = None,
    larger_is_better: bool | None = None,
) -> Path:
    """Write one self-contained HTML page about fits of the same data.

    It says which group to choose, if one is to be chosen; what was asked and of which data, whether
    the draws can be trusted, what each pooling makes of every group, which pooling the data
    support, what a treatment changes, if there is one, what partial pooling did to each group, how
    different the groups are, whether the model makes data like these and whether the priors decide;
    and, to do it again, the priors as used, the Stan programs, versions, seeds and a script.
    Pictures are part of the file, nothing is loaded from elsewhere, no script runs, and everything
    that comes from the data is escaped. The same fits give the same page.

    Parameters
    ----------
    fits : mapping of str to Fit or TwoPartFit, or one of these
        Such as `fit_poolings` returns. Of a single fit there is no comparison, and without partial
        pooling nothing on shrinkage, heterogeneity and other priors. These are left to
        `prior_sensitivity` of more than 100 groups, with factors, two arms or two parts. Of fits
        of two parts, groups are compared and chosen by the revenue per customer.
    path : path-like
        Where the page goes. An existing file is replaced once the new one is complete.
    title, question : str, optional
        The heading, and what the analysis was to find out.
    unit : {"observation", "group"}
        What is left out to compare the fits, see `compare`.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.
    control : group label, optional
        The group that others are measured against; adds their uplift.
    caring : float, optional
        The smallest difference between groups that matters, on the response scale.
    larger_is_better : bool, optional
        Whether one wants the largest or the smallest mean. The page begins with the choice of a
        group if any of these three is given (``larger_is_better`` is then True by default): that
        groups are there to be chosen from cannot be known from the data.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DataError
        If the fits are of different data.
    HierstanError
        If there is nothing to report on, an argument is impossible, or the file cannot be written.

    Examples
    --------
    >>> import tempfile, hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fits = hs.fit_poolings(data, seed=1, engine="stanli")
    >>> file = hs.report(fits, f"{tempfile.mkdtemp()}/schools.html", title="Eight schools")
    >>> file.read_text(encoding="utf-8").count("<h1>Eight schools</h1>")
    1
    """
    found: Mapping[str, Whole] = {fits.model.name: fits} if isinstance(fits, Whole) else fits
    _check(found)
    prob = check_prob(prob)
    target = target_of(path)
    choice = None
    if not (control is None and caring is None and larger_is_better is None):
        choice = {"control": control, "caring": caring, "larger_is_better": larger_is_better}
        choice["larger_is_better"] = larger_is_better is not False
    subject = Subject(dict(found), title, question, unit, float(prob), choice)
    with warnings.catch_warnings():
        # a label in a script that no font here has: the tables have it in full
        warnings.filterwarnings("ignore", "No font on this machine", HierstanWarning)
        write_whole(target, page(subject))
    return Path(path)


# internals ------------------------------------------------------------------------------------


def _check(fits: object) -> None:
    if not isinstance(fits, Mapping) or not fits:
        raise HierstanError(
            f"report takes a fit or a mapping of fits, such as fit_poolings(data) returns; got "
            f"{type(fits).__name__}{' without any' if isinstance(fits, Mapping) else ''}."
        )
    for name, fit in fits.items():
        if not isinstance(fit, Whole):
            raise HierstanError(f"report: {name!r} is no fit but a {type(fit).__name__}.")
        if isinstance(fit, Fit) != isinstance(next(iter(fits.values())), Fit):
            raise HierstanError(
                f"report: {name!r} is of another kind than the first fit: fits of two parts go "
                "into a report of their own."
            )
        if fit.prior_only:
            raise HierstanError(
                f"report: {name!r} has prior_only=True: it has seen no outcomes, so there is "
                "nothing to report on. Fit without prior_only."
            )

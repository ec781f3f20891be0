"""New observations of known and of new groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from hierstan.answers.prediction import design, seeds
from hierstan.answers.prediction.both_parts import forecast_both
from hierstan.answers.prediction.prediction import Prediction, forecast
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_part import TwoPartFit


def predict(
    fit: Fit | TwoPartFit,
    new: object = None,
    *,
    groups: Sequence[Hashable] | None = None,
    new_groups: int | Sequence[Hashable] = 0,
    trials: object = None,
    exposure: object = None,
    se: object = None,
    weight: object = None,
    treated: bool | None = None,
    baseline: object = None,
    rows: object = 1,
    predictors: object = None,
    prob: float | None = None,
    seed: int | None = None,
) -> Prediction:
    """Draw new observations from the posterior predictive distribution.

    The draws are the Stan program's own ``y_rep``. Known groups have their posterior ``theta``; a
    new group is drawn from the population: ``normal(mu, tau)`` in partial pooling, ``mu`` itself in
    complete pooling, the prior of ``theta`` in no pooling, which learns nothing about other groups.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of the latter what single customers spend is predicted, those who buy nothing among them; it
        takes `groups`, `new_groups`, `rows`, `prob` and `seed`.
    new : GroupedData or dataframe, optional
        Predict its observations instead, one by one, whatever their outcomes: groups that the fit
        has not seen count as new. It says all that the arguments up to `rows` say. Or any
        dataframe with one line per group: its label (in the columns of the groups, or the index)
        and, for groups not yet seen, the columns of factors and predictors. A label of a factor
        that the fit has not seen is a new level, which groups of the frame can share. A column
        named as that of the data's trials, exposure, se or weight has those of the observations.
    groups : sequence of labels, optional
        Known groups; by default all of them, or none if `new_groups` are asked for.
    new_groups : int or sequence of labels
        How many groups not yet seen, or what to call them.
    trials : int, optional
        Size of a binomial (or Bernoulli) observation. `trials`, `exposure`, `se`, `weight` and
        `rows` take one number, a mapping or Series by label, or a sequence in the order of the
        groups. By default a known group gets what its own observations have (their median), and a
        new group the median of all observations; ``prediction.design`` shows it.
    exposure : float, optional
        Of a number of events.
    se : float, optional
        Standard error of an estimate whose standard error is known.
    weight : float, optional
        Of a row whose variance is ``sigma^2 / weight``.
    treated : bool, optional
        Of data with two arms: whether the treatment arm is predicted, as by default, or the
        control. A known group has its own baseline, a new one a baseline that goes with its effect.
    baseline : float, optional
        Of data with two arms: the mean of the control arm of a new group where it is known, on the
        outcome's own scale (a rate, say); one number, or one for each new group as `trials` has
        them. Effects then are those of groups with that baseline.
    rows : int
        How many observations of each group.
    predictors : pandas.DataFrame or mapping, optional
        Of the new groups, in their own units: a column for each predictor of the fit's data, a line
        for each group. The labels of the lines, or a column named like the groups', say which group
        a line is of; lines that are merely numbered are in the order of the groups. By default new
        groups have average predictors.
    prob : float, optional
        Probability of the equal-tailed intervals.
    seed : int, optional
        By default every call draws anew, so that the difference between two predictions has the
        standard deviation it should, and the same calls on the same fit, made again, give the same
        draws. Calls with the same `seed` have their random numbers in common;
        ``prediction.seed`` is the one that was used.

    Returns
    -------
    Prediction
        With ``.draws`` and ``.summary``.

    Raises
    ------
    DataError
        For an unknown group, for labels in a table that are no group's or lack one, or for data of
        another family.
    HierstanError
        For an argument that the family has no use for or that is impossible.

    Warns
    -----
    HierstanWarning
        If an expected outcome is infinite under the priors of the fit: its ``mean`` is then
        reported as infinite. An infinite ``sd`` is reported as such without a warning. Intervals
        always exist.

    Examples
    --------
    >>> import hierstan as hs
    >>> players = hs.load_dataset("baseball")
    >>> data = hs.GroupedData.from_counts(players, group="player", successes="hits",
    ...                                   trials="at_bats")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> season = hs.predict(fit, groups=["Clemente", "Munson"], trials=400)
    >>> season.draws.sel(group="Munson").dims
    ('chain', 'draw')
    >>> hs.predict(fit, new_groups=3, trials=400).summary.index.tolist()
    ['new group 1', 'new group 2', 'new group 3']
    """
    prob = check_prob(prob)
    check_fit(fit, "predict", two_part=True)
    seed = seed if seed is None else design.check_seed(seed)
    given = {
        "trials": trials,
        "exposure": exposure,
        "se": se,
        "weight": weight,
        "treated": treated,
        "baseline": baseline,
    }
    if isinstance(fit, TwoPartFit):
        more = {"new": new, "predictors": predictors, **given}
        if unused := [f"{name}=" for name, value in more.items() if value is not None]:
            raise HierstanError(
                "predict of a two-part fit takes groups=, new_groups=, rows=, prob= and seed=; got "
                f"{' and '.join(unused)}. Predict a part of it: predict(fit.rate, ...)."
            )
        return forecast_both(
            fit, groups=groups, new_groups=new_groups, rows=rows, prob=prob, seed=seed
        )
    study = design.plan(
        fit,
        new,
        groups=groups,
        new_groups=new_groups,
        given=given,
        rows=rows,
        predictors=predictors,
    )
    return forecast(fit, study, prob, seeds.next_seed(fit, study) if seed is None else seed)

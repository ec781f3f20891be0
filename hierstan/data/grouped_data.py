"""GroupedData: the user's table of groups, checked once and reduced to what a likelihood needs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from hierstan.data import estimates, intake, published, ratings, subsets, trial, wording
from hierstan.data.frames import open_table
from hierstan.data.labels import position
from hierstan.data.measures import MEASURES, Measure
from hierstan.data.predictors import standardized
from hierstan.data.structure import Group, column_roles, level_codes, levels, some
from hierstan.families import FAMILIES, default
from hierstan.text.answer import AnswerTable, answer


@dataclass(frozen=True, eq=False, repr=False)
class GroupedData:
    """Grouped observations, checked and ready to fit; made by one of the ``from_`` constructors.

    Each constructor takes a pandas or polars DataFrame, a polars LazyFrame, a pyarrow Table, a
    DuckDB relation, or a Dask, PySpark or ibis table, and the names of its columns. Checks and
    reductions run inside the frame's own engine, and only what the likelihood needs comes to
    Python. The frame is never changed, and nothing in it is dropped, coerced or re-ordered in
    silence: what cannot be used raises a `DataError` that names the column, the rule, the first
    rows that break it, and the cure.

    Attributes
    ----------
    family : str
        How the observations arise: "normal_known", "binomial", "beta_binomial", "poisson" or a
        family of `from_rows`; with ``_treatment`` where the group means are the effects of one on
        such outcomes.
    groups : pandas.Index
        The J group labels, of the type they have in the frame: in the order that a categorical
        column declares, else in order of first appearance. DuckDB, Dask, PySpark and ibis promise
        no row order; there the labels are sorted.
    cells : pandas.DataFrame
        What the model is fitted to: ``group`` (0-based codes) and the family's columns.
    rows : pandas.DataFrame or None
        The same columns with one line per observation, in the frame's order; the same object as
        `cells` where rows do not collapse. None where they do and there are more than 20,000 of
        them (``hierstan.data.intake.MAX_ROWS``): `n_rows` still counts them all.
    n_rows : int
        The number of observations.
    columns : dict
        The frame's column for each role, such as ``{"group": "school", "estimate": "effect"}``;
        for the group a tuple where it has several.
    predictors : pandas.DataFrame or None
        Numbers that describe the groups, by group.
    standards : pandas.DataFrame or None
        Mean and sd of each predictor over the groups, by which it is standardized.
    factors : pandas.DataFrame or None
        Labels that describe the groups, by group: a column per factor.
    measure : str or None
        Which effect the estimates are of, such as "OR" (see `effect_sizes`); None where they are
        not effects, or nobody said so.
    categories : pandas.Index or None
        The categories of ratings, from the lowest to the highest.
    arms : pandas.Index or None
        Where there are two: what the control and the treatment are called.
    covariates : pandas.DataFrame or None
        What rows are adjusted for: a line for each number, and for each level of a label but its
        reference, with the ``mean`` over all rows and the ``sd`` by which it is standardized.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> data.family, len(data.groups), data.n_rows, data.design.shape
    ('normal_known', 8, 8, (8, 1))
    """

    family: str
    groups: pd.Index
    cells: pd.DataFrame
    rows: pd.DataFrame | None
    n_rows: int
    columns: dict[str, Hashable]
    predictors: pd.DataFrame | None = None
    standards: pd.DataFrame | None = None
    factors: pd.DataFrame | None = None
    measure: str | None = None
    categories: pd.Index | None = None
    arms: pd.Index | None = None
    covariates: pd.DataFrame | None = None

    @classmethod
    def from_estimates(
        cls,
        frame: object,
        *,
        group: Group,
        estimate: Hashable,
        se: Hashable | None = None,
        lower: Hashable | None = None,
        upper: Hashable | None = None,
        prob: float = 0.95,
        ratios: bool = False,
        measure: str | None = None,
        within: Hashable | None = None,
        correlation: float | None = None,
        covariance: object = None,
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take one estimate with a known standard error, or an interval, per group.

        Parameters
        ----------
        frame : dataframe
            One row per group.
        group : str or list of str
            The column with the group's label, or several columns, such as ``["age", "channel"]``:
            one group for each combination that occurs, and every column is a factor.
        estimate : str
            The column with the group's estimate.
        se : str
            The column with the estimate's standard error, which is above 0 and in its units. A
            warning says so where it looks like a standard deviation.
        lower, upper : str
            In place of `se`: the columns with the limits of a published interval. The standard
            error is ``(upper - lower) / (2 z)``, with z the normal quantile of `prob`.
        prob : float
            What the intervals hold: 0.95 for a 95% confidence interval.
        ratios : bool
            Whether `estimate`, `lower` and `upper` are ratios as papers print them (an odds ratio
            of 0.8, from 0.6 to 1.07), whose logs are to be taken.
        measure : {"OR", "RR", "HR", "IRR", "ROM", "RD", "MD", "SMD"}, optional
            Which effect these are estimates of (odds, risk, hazard or rate ratio, ratio of means;
            risk, mean or standardised mean difference), for tables and pictures to say. Estimates
            of ratios are logs, unless `ratios`. What `effect_sizes` returns says it already.
        within : str, optional
            The column with the study of each estimate, where errors go together within studies:
            several outcomes of the same participants, or several arms against one control. A
            group may then have several estimates. Whether the true values of a study are alike is
            another question: ``factors=["study"]`` or ``group=["study", "outcome"]`` asks it.
        correlation : float, optional
            With `within`: of any two errors of a study, such as 0.5 (metafor's ``vcalc(vi,
            cluster=study, obs=row, rho=0.5)``).
        covariance : mapping or (N, N) array, optional
            In place of `correlation`: by label of a study, its matrix, in the order of its rows in
            the frame; or one matrix of all rows (metafor's ``rma.mv(V=)``), which needs no
            `within`. Then `se` may be left out.
        predictors : sequence of str
            Columns with numbers that differ between groups but not within them, such as a trial's
            latitude: ``theta ~ normal(mu + x * beta, tau)``, with `x` standardized.
        factors : sequence of str
            Columns with labels that describe groups, such as a store's region: every level of a
            factor adds something of its own, ``u_region ~ normal(0, tau_region)``.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"school": ["A", "B"], "effect": [28.0, 8.0], "se": [15, 10]})
        >>> hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        GroupedData(normal_known: 2 groups, 2 rows)

        Odds ratios with 95% confidence intervals, as a paper prints them:

        >>> frame = pd.DataFrame({"trial": ["A", "B"], "or": [0.8, 1.2], "from": [0.6, 0.9],
        ...                       "to": [1.07, 1.6]})
        >>> data = hs.GroupedData.from_estimates(frame, group="trial", estimate="or",
        ...                                      lower="from", upper="to", ratios=True,
        ...                                      measure="OR")
        >>> data
        GroupedData(normal_known: 2 groups, 2 rows; log odds ratio, se from intervals)
        >>> data.to_frame().round(3).to_dict("list")
        {'n': [1, 1], 'estimate': [-0.223, 0.182], 'se': [0.148, 0.147]}

        Two outcomes of the same participants, whose errors have correlation 0.6; the true values
        of a study may be alike, too:

        >>> frame = pd.DataFrame({"study": [1, 1, 2, 2, 3, 3], "outcome": ["pain", "sleep"] * 3,
        ...                       "effect": [0.3, 0.2, 0.5, 0.1, 0.2, 0.3], "se": 0.1})
        >>> data = hs.GroupedData.from_estimates(frame, group=["study", "outcome"],
        ...                                      estimate="effect", se="se", within="study",
        ...                                      correlation=0.6)
        >>> data
        GroupedData(normal_correlated: 6 groups, 6 rows; errors correlated within study)
        >>> data.tau_names
        ['tau_study', 'tau_outcome']
        """
        given = {"se": se, "lower": lower, "upper": upper, "within": within}
        columns = partial(column_roles, group, predictors, factors, estimate=estimate)
        errors = estimates.Errors(prob, ratios, correlation, covariance)
        return cls(*estimates.take(frame, columns, given, errors, measure))

    @classmethod
    def from_means(
        cls,
        frame: object,
        *,
        group: Group,
        mean: Hashable,
        sd: Hashable,
        n: Hashable,
        family: str = default("means"),
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take the mean, standard deviation and number of rows of each group.

        They are all that the normal family needs of rows, so that a fit is that of `from_rows` on
        the rows behind them. Only what asks for single rows (leaving one observation out,
        replicated outcomes) is not to be had: leave whole groups out, with ``unit="group"``.

        Parameters
        ----------
        frame : dataframe
            One row per group.
        group : str or list of str
            The column with the group's label, or several; see `from_estimates`.
        mean : str
            The column with the group's mean.
        sd : str
            The column with the standard deviation of the group's rows, with ``n - 1`` in the
            denominator. That of a single row is not looked at, and may be missing.
        n : str
            The column with the number of rows.
        family : str
            "normal", or "normal_unequal" with a standard deviation of each group; see `from_rows`.
        predictors, factors : sequence of str
            Columns that describe the groups; see `from_estimates`.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"batch": [1, 2], "mean": [1492.5, 1547.5], "sd": [74.2, 10.6],
        ...                       "rows": [2, 2]})
        >>> hs.GroupedData.from_means(frame, group="batch", mean="mean", sd="sd", n="rows")
        GroupedData(normal: 2 groups, 4 rows)
        """
        columns = column_roles(group, predictors, factors, mean=mean, sd=sd, n=n)
        return cls(*published.take_means(open_table(frame, columns), family))

    @classmethod
    def from_counts(
        cls,
        frame: object,
        *,
        group: Group,
        successes: Hashable,
        trials: Hashable,
        family: str = default("counts"),
        adjust: Sequence[Hashable] = (),
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take successes in a number of trials.

        Parameters
        ----------
        frame : dataframe
            One row per group, or several: each row is an observation.
        group, successes, trials : str
            The columns with the group's label and two counts, of which the first is at most the
            second and the second at least 1.
        family : str
            How successes arise around their group's rate: "binomial", or "beta_binomial" where the
            rows of a group (its days, batches or clusters) vary more than that.
        adjust : sequence of str
            Columns that describe rows, by which their outcomes differ: to the mean of its group
            a row adds ``z * gamma`` (link scale), with numbers standardized and an
            indicator for each level of a label but the first. What is said of groups is said where
            the covariates are average.
        predictors : sequence of str
            Columns with predictors of the groups; see `from_estimates`.
        factors : sequence of str
            Columns with labels of the groups; see `from_estimates`.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"page": ["old", "new"], "sold": [4, 9], "seen": [50, 60]})
        >>> data = hs.GroupedData.from_counts(frame, group="page", successes="sold", trials="seen")
        >>> print(data.to_frame().loc["new", ["successes", "trials", "rate"]].tolist())
        [9.0, 60.0, 0.15]

        Days of a page that differ by more than chance, each a row:

        >>> days = pd.DataFrame({"page": ["old", "old", "new", "new"], "sold": [4, 21, 9, 30],
        ...                      "seen": [200, 210, 190, 205]})
        >>> hs.GroupedData.from_counts(
        ...     days, group="page", successes="sold", trials="seen", family="beta_binomial"
        ... )
        GroupedData(beta_binomial: 2 groups, 4 rows)
        """
        family = intake.valid(family, "counts")
        own = {"successes": successes, "trials": trials}
        columns = column_roles(group, predictors, factors, adjust, **own)
        return cls(*intake.take(open_table(frame, columns), "counts", family))

    @classmethod
    def from_arms(
        cls,
        frame: object,
        *,
        group: Group,
        events_treatment: Hashable,
        total_treatment: Hashable,
        events_control: Hashable,
        total_control: Hashable,
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take the events in both arms of each of several trials.

        The group means are log odds ratios, treatment against control, and each trial has a
        baseline of its own, the log-odds of its control arm, which may go with its odds ratio (see
        `arms`). Each arm is an observation. Baselines are partially pooled whatever the pooling of
        the effects. `effect_sizes` boils two arms down to an estimate and a standard error.

        Parameters
        ----------
        frame : dataframe
            One row per group.
        group, events_treatment, total_treatment, events_control, total_control : str
            The columns with the group's label, and the events and everyone in each arm.
        predictors : sequence of str
            Columns with predictors of the groups; see `from_estimates`.
        factors : sequence of str
            Columns with labels of the groups; see `from_estimates`.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"trial": ["A", "B"], "died": [4, 0], "given": [123, 60],
        ...                       "died_without": [11, 3], "without": [139, 58]})
        >>> hs.GroupedData.from_arms(frame, group="trial",
        ...                          events_treatment="died", total_treatment="given",
        ...                          events_control="died_without", total_control="without")
        GroupedData(binomial_treatment: 2 groups, 4 rows)
        """
        arms = {"events_treatment": events_treatment, "total_treatment": total_treatment}
        arms |= {"events_control": events_control, "total_control": total_control}
        columns = column_roles(group, predictors, factors, **arms)
        return cls(*intake.take_arms(open_table(frame, columns)))

    @classmethod
    def from_trial(
        cls,
        frame: object,
        *,
        group: Group,
        arm: Hashable,
        control: Hashable,
        outcome: Hashable | None = None,
        weights: Hashable | None = None,
        successes: Hashable | None = None,
        trials: Hashable | None = None,
        events: Hashable | None = None,
        exposure: Hashable | None = None,
        mean: Hashable | None = None,
        sd: Hashable | None = None,
        n: Hashable | None = None,
        family: str | None = None,
        order: Sequence[Hashable] | None = None,
        adjust: Sequence[Hashable] = (),
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take the outcomes of two arms in every group, from a long table.

        The group means are the effects of the treatment, on the link scale of the outcomes:
        differences of means, log odds ratios, log rate ratios or logs of ratios of means. Each
        group has a baseline of its own too, the mean of its control arm, which may go with its
        effect (see `arms`). Baselines are partially pooled whatever the pooling of the effects.

        Parameters
        ----------
        frame : dataframe
            Rows of a group and an arm: raw outcomes, or counts or means of many.
        group : str or list of str
            The column with the group's label (a site, a country), or several; see `from_estimates`.
        arm : str
            The column that says which of two arms a row is of.
        control : label
            The arm without the treatment.
        outcome : str
            Raw outcomes, of a family of `from_rows` (with "normal_unequal" both arms of a group
            share a standard deviation of its own); or ratings, with ``family="ordinal"``.
        weights : str, optional
            What each outcome weighs, with the normal family; see `from_rows`.
        successes, trials : str
            In place of `outcome`: counts, as `from_counts` takes them.
        events, exposure : str
            Or events, perhaps over an exposure, as `from_events` takes them.
        mean, sd, n : str
            Or means, as `from_means` takes them, one row per group and arm.
        family : str, optional
            How outcomes arise; by default "normal", "binomial" or "poisson".
        order : sequence, optional
            Of ratings: the categories from the lowest to the highest; see `from_ratings`.
        adjust : sequence of str
            Columns that describe rows, by which their outcomes differ: to the mean of its group
            and arm a row adds ``z * gamma`` (link scale), with numbers standardized and an
            indicator for each level of a label but the first. What is said of groups is said where
            the covariates are average.
        predictors, factors : sequence of str
            Columns that describe the groups, whose effects differ by them; see `from_estimates`.

        Raises
        ------
        DataError
            Also for more than two arms, or none that is the control.

        Warns
        -----
        HierstanWarning
            Of groups with one arm only, which are kept for what they say of the baselines.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"country": ["DE", "DE", "FR", "FR"], "page": ["old", "new"] * 2,
        ...                       "users": [900, 910, 400, 390], "bought": [45, 61, 30, 28]})
        >>> data = hs.GroupedData.from_trial(frame, group="country", arm="page", control="old",
        ...                                  successes="bought", trials="users")
        >>> data
        GroupedData(binomial_treatment: 2 groups, 4 rows)
        >>> data.to_frame()["total_treatment"].astype(int).to_dict()
        {'DE': 910, 'FR': 390}

        Patients, whose effects are compared at the mean of their age, and as many of either sex:

        >>> patients = pd.DataFrame({"site": ["A", "B"] * 6,
        ...                          "arm": ["old", "old", "new", "new"] * 3,
        ...                          "age": [50, 61, 47, 39, 70, 65, 58, 44, 52, 63, 49, 57],
        ...                          "sex": list("ffmmmfffmmff"),
        ...                          "pain": [4, 6, 3, 2, 7, 6, 4, 3, 5, 5, 3, 4]})
        >>> data = hs.GroupedData.from_trial(patients, group="site", arm="arm", control="old",
        ...                                  outcome="pain", adjust=["age", "sex"])
        >>> data.covariates["mean"].round(2).to_dict()
        {'age': 54.58, 'sex: m': 0.42}
        """
        given = {"outcome": outcome, "successes": successes, "trials": trials, "events": events}
        given |= {"exposure": exposure, "mean": mean, "sd": sd, "n": n, "weights": weights}
        about = predictors, factors, order, adjust
        return cls(*trial.take(frame, group, arm, control, given, family, *about))

    @classmethod
    def from_events(
        cls,
        frame: object,
        *,
        group: Group,
        events: Hashable,
        exposure: Hashable | None = None,
        family: str = default("events"),
        adjust: Sequence[Hashable] = (),
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take numbers of events, each over an exposure such as a time or an area.

        Parameters
        ----------
        frame : dataframe
            One row per group, or several: each row is an observation.
        group, events : str
            The columns with the group's label and the count.
        exposure : str, optional
            The column with the exposure, above 0, in any unit: rates are events per unit. It is 1
            for every row where no column is given.
        family : str
            How events arise around their group's rate: "poisson", "neg_binomial" where the rows of
            a group vary more than that, or one of these with extra zeros, "zero_inflated_poisson"
            and "zero_inflated_neg_binomial".
        adjust : sequence of str
            Columns that describe rows, by which their rates differ; see `from_rows`.
        predictors : sequence of str
            Columns with predictors of the groups; see `from_estimates`.
        factors : sequence of str
            Columns with labels of the groups; see `from_estimates`.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"pump": [1, 2], "failures": [5, 1], "hours": [94.3, 15.7]})
        >>> hs.GroupedData.from_events(frame, group="pump", events="failures", exposure="hours")
        GroupedData(poisson: 2 groups, 2 rows)

        Years of a site that differ by more than chance, each a row:

        >>> years = pd.DataFrame({"site": [1, 1, 2, 2], "claims": [3, 21, 9, 30],
        ...                       "policies": [200, 210, 190, 205]})
        >>> hs.GroupedData.from_events(
        ...     years, group="site", events="claims", exposure="policies", family="neg_binomial"
        ... )
        GroupedData(neg_binomial: 2 groups, 4 rows)
        """
        family = intake.valid(family, "events")
        own = {"events": events} if exposure is None else {"events": events, "exposure": exposure}
        table = open_table(frame, column_roles(group, predictors, factors, adjust, **own))
        return cls(*intake.take(table, "events", family))

    @classmethod
    def from_rows(
        cls,
        frame: object,
        *,
        group: Group,
        outcome: Hashable,
        family: str = default("rows"),
        weights: Hashable | None = None,
        adjust: Sequence[Hashable] = (),
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take raw outcomes, and collapse them to the sufficient statistics of their groups.

        Parameters
        ----------
        frame : dataframe
            One row per observation.
        group, outcome : str
            The columns with the group's label and the outcome.
        family : str
            How outcomes arise around their group's mean: "normal", "normal_unequal" (with a
            standard deviation of each group, partially pooled), "student_t" (with outliers; does
            not collapse), "bernoulli" (0/1 or true/false), "poisson" or "neg_binomial"
            (counts; the second if they vary more than their mean), "lognormal" or "gamma"
            (amounts above 0). "zero_inflated_poisson" and "zero_inflated_neg_binomial" are counts
            of which some are extra zeros.
        weights : str, optional
            With the normal family: the column with what each row weighs, above 0, such as the
            number of claims that it is the mean of. The variance of a row is ``sigma^2 / weight``
            (the credibility model of Bühlmann and Straub 1970).
        adjust : sequence of str
            Columns that describe rows, by which their outcomes differ: to the mean of its group
            a row adds ``z * gamma`` (link scale), with numbers standardized and an
            indicator for each level of a label but the first. What is said of groups is said where
            the covariates are average.
        predictors : sequence of str
            Columns with predictors of the groups; see `from_estimates`.
        factors : sequence of str
            Columns with labels of the groups; see `from_estimates`.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"batch": [1, 1, 2, 2], "yield": [1545, 1440, 1540, 1555]})
        >>> hs.GroupedData.from_rows(frame, group="batch", outcome="yield").cells
           group       y  count  squares
        0      0  1492.5    2.0   5512.5
        1      1  1547.5    2.0    112.5

        Mean claims of a quarter, of so many claims:

        >>> quarters = pd.DataFrame({"state": ["A", "A", "B"], "mean": [1738, 1642, 1364],
        ...                          "claims": [7861, 9251, 1622]})
        >>> data = hs.GroupedData.from_rows(quarters, group="state", outcome="mean",
        ...                                 weights="claims")
        >>> data.to_frame()["mean"].round(1).tolist()
        [1686.1, 1364.0]

        Groups that vary by different amounts within, whose intervals must not be the same:

        >>> lines = pd.DataFrame({"line": list("aaaabbbbc"),
        ...                       "weight": [10.1, 9.9, 10.0, 10.1, 12, 8.5, 11, 7.9, 10.3]})
        >>> data = hs.GroupedData.from_rows(lines, group="line", outcome="weight",
        ...                                 family="normal_unequal")
        >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
        >>> fit.draws("sigma").shape
        (4000, 3)
        """
        constructor, family, own = intake.kind_of_rows(family, outcome, weights)
        table = open_table(frame, column_roles(group, predictors, factors, adjust, **own))
        return cls(*intake.take_rows(table, constructor, family))

    @classmethod
    def from_ratings(
        cls,
        frame: object,
        *,
        group: Group,
        rating: Hashable,
        order: Sequence[Hashable] | None = None,
        adjust: Sequence[Hashable] = (),
        predictors: Sequence[Hashable] = (),
        factors: Sequence[Hashable] = (),
    ) -> GroupedData:
        """Take ratings in ordered categories, such as satisfaction from 1 to 5.

        All groups share a scale: cut points on the log-odds scale, between which a rating lies. A
        group's mean is where it stands against them, shown as its mean score. `ratings` tells the
        shares of the categories in each group too.

        Parameters
        ----------
        frame : dataframe
            One row per rating.
        group : str or list of str
            The column with the group's label, or several; see `from_estimates`.
        rating : str
            The column with the ratings: whole numbers, labels, or an ordered categorical (of
            pandas, or a polars Enum).
        order : sequence, optional
            The categories from the lowest to the highest, whether or not anybody gave them: needed
            for labels, and for numbers of which the lowest or the highest was never given. Without
            it numbers are taken to be a scale of all whole numbers between those given.
        adjust : sequence of str
            Columns that describe single ratings, whose effect is taken off; see `from_rows`.
        predictors, factors : sequence of str
            Columns that describe the groups; see `from_estimates`.

        Notes
        -----
        In means, categories that are numbers count as these, and labels as 1, 2, 3, ….

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"store": ["A", "A", "A", "B", "B"], "stars": [5, 4, 5, 1, 3]})
        >>> data = hs.GroupedData.from_ratings(
        ...     frame, group="store", rating="stars", order=[1, 2, 3, 4, 5]
        ... )
        >>> data
        GroupedData(ordinal: 2 groups, 5 rows)
        >>> data.to_frame().loc["A"].round(2).to_dict()
        {'n': 3.0, 'mean': 4.67, 'sd': 0.58, 1: 0.0, 2: 0.0, 3: 0.0, 4: 1.0, 5: 2.0}
        """
        table = open_table(frame, column_roles(group, predictors, factors, adjust, rating=rating))
        return cls(*ratings.take(table, order))

    def stan_data(self, rows: bool = False) -> dict[str, Any]:
        """Return what the Stan programs read: the cells or, if asked for, every observation.

        ``J`` and ``N`` are int, ``group`` holds 1-based codes (N,), and the family's columns (N,)
        are 32-bit integers or 64-bit floats. With predictors also ``K``, the standardized ``x``
        (J, K), and ``x_new``, zeros: a group not yet seen has average ones. With factors also their
        number ``F``, that of all their levels ``L``, the ``factor`` of each level (L,), the
        ``level`` of each group for each factor (F, J), counted from 1 over all levels, and
        ``level_new`` (F,), zeros: a group not yet seen has levels not yet seen. Predictors or
        factors bring the entries of both. Too many rows to be kept are a `DataError`.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"batch": ["a", "a", "b"], "flaws": [3, 1, 2]})
        >>> data = hs.GroupedData.from_rows(
        ...     frame, group="batch", outcome="flaws", family="poisson"
        ... )
        >>> {name: value.tolist() for name, value in data.stan_data().items() if name not in "JN"}
        {'group': [1, 2], 'y': [4, 2], 'exposure': [2.0, 1.0]}
        """
        cells = subsets.kept_rows(self._parts()) if rows else self.cells
        data: dict[str, Any] = {"J": len(self.groups), "N": len(cells)}
        data["group"] = (cells["group"].to_numpy() + 1).astype(np.int32)
        data |= FAMILIES[self.family].entries(cells)
        if self.predictors is not None or self.factors is not None:
            x = self.design[:, 1:]
            data |= {"x": x, "K": x.shape[1], "x_new": np.zeros(x.shape[1])}
            data |= level_codes(self.factors, len(self.groups))
        return data

    @property
    def levels(self) -> dict[Hashable, pd.Index]:
        """The levels of each factor, in the order a categorical declares or of the groups.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> shops = pd.DataFrame({"shop": [1, 2, 3, 4], "region": ["n", "s", "s", "n"],
        ...                       "sales": [4.0, 2.5, 3.1, 3.9], "se": 1.0})
        >>> data = hs.GroupedData.from_estimates(
        ...     shops, group="shop", estimate="sales", se="se", factors=["region"]
        ... )
        >>> data.levels["region"].tolist(), data.factors.loc[3, "region"]
        (['n', 's'], 's')
        """
        return levels(self.factors)

    @property
    def tau_names(self) -> list[str]:
        """What the sd between the levels of each factor is called, such as ``"tau_region"``.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> shops = pd.DataFrame({"shop": [1, 2, 3, 4], "region": ["n", "s", "s", "n"],
        ...                       "sales": [4.0, 2.5, 3.1, 3.9], "se": 1.0})
        >>> hs.GroupedData.from_estimates(
        ...     shops, group="shop", estimate="sales", se="se", factors=["region"]
        ... ).tau_names
        ['tau_region']
        """
        return [f"tau_{name}" for name in self.levels]

    @property
    def scores(self) -> np.ndarray:
        """What each category of ratings counts in means: its number, or its position from 1.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"store": ["A", "B", "B"], "said": ["good", "bad", "fair"]})
        >>> hs.GroupedData.from_ratings(
        ...     frame, group="store", rating="said", order=["bad", "fair", "good"]
        ... ).scores
        array([1., 2., 3.])
        """
        return np.zeros(0) if self.categories is None else ratings.scores(self.categories)

    def with_factors(self, names: Sequence[Hashable] | None) -> GroupedData:
        """Return the same groups with some of their factors; all of them for None.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> cells = pd.DataFrame({"age": [1, 1, 2, 2], "sex": ["f", "m", "f", "m"],
        ...                       "sold": [3, 5, 2, 8], "seen": 20})
        >>> data = hs.GroupedData.from_counts(
        ...     cells, group=["age", "sex"], successes="sold", trials="seen"
        ... )
        >>> data.tau_names, data.with_factors(["sex"]).tau_names
        (['tau_age', 'tau_sex'], ['tau_sex'])
        """
        return self if names is None else replace(self, factors=some(self.factors, names))

    @property
    def design(self) -> np.ndarray:
        """A column of ones and the standardized predictors of each group, (J, 1 + K)."""
        ones = np.ones((len(self.groups), 1))
        if self.predictors is None or self.standards is None:
            return ones
        return np.hstack([ones, standardized(self.predictors, self.standards)])

    def without(self, label: Hashable) -> GroupedData:
        """Return the data without one group, given by its label.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.without("A").groups.tolist()
        ['B', 'C', 'D', 'E', 'F', 'G', 'H']
        """
        return GroupedData(*subsets.without_group(self._parts(), label))

    def only(self, label: Hashable) -> GroupedData:
        """Return the data of one group, given by its label.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.only("A")
        GroupedData(normal_known: 1 group, 1 row)
        """
        return self.only_groups(np.array([position(self.groups, label)]))

    def only_groups(self, positions: np.ndarray) -> GroupedData:
        """Return the data of some groups, given by their 0-based positions in `groups`.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.only_groups([0, 7]).groups.tolist()
        ['A', 'H']
        """
        return GroupedData(*subsets.only_groups(self._parts(), positions))

    def without_arm(self, label: Hashable, *, treated: bool) -> GroupedData:
        """Return the data of a trial without one arm of a group, given by the group's label.

        A group that has no other arm vanishes.

        Examples
        --------
        >>> import hierstan as hs
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"site": ["A", "A", "B", "B"], "arm": ["old", "new"] * 2,
        ...                       "died": [9, 5, 7, 8], "patients": [40, 41, 38, 40]})
        >>> data = hs.GroupedData.from_trial(frame, group="site", arm="arm", control="old",
        ...                                  successes="died", trials="patients")
        >>> data.without_arm("B", treated=True).n_rows
        3
        """
        return GroupedData(*subsets.without_arm(self._parts(), label, treated))

    def without_rows(self, positions: Iterable[int]) -> GroupedData:
        """Return the data without some observations, given by their 0-based positions in `rows`.

        A group that loses all of its observations vanishes.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.without_rows([0, 2]).groups.tolist()
        ['B', 'D', 'E', 'F', 'G', 'H']
        """
        return GroupedData(*subsets.without_rows(self._parts(), positions))

    def to_frame(self) -> AnswerTable:
        """Return one line per group, by label: ``n`` rows, and what they say on their own.

        The columns after ``n`` are ``estimate, se`` (known se); ``successes, trials, rate``;
        events, total and rate of each arm, such as ``rate_control``; ``events, exposure, rate``;
        ``mean, sd``; ``mean_log, sd_log`` (lognormal); ``mean, mean_log`` (gamma); ``mean, sd`` and
        how often each category occurs (ratings). Standard
        deviations have ``n - 1`` degrees of freedom.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.to_frame().loc["A"].to_dict()
        {'n': 1.0, 'estimate': 28.0, 'se': 15.0}
        """
        table = FAMILIES[self.family].summarised(self.cells, len(self.groups))
        table = ratings.named(table, self.categories).set_axis(self.groups)
        table.insert(0, "n", subsets.rows_per_group(self._parts()))
        table.attrs["caption"] = f"{self!r}: what each group says on its own"
        return answer(table, self.columns.get("group"))

    @property
    def grouped_by(self) -> str:
        """The column of the groups, or the columns, as text for people.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.grouped_by
        'school'
        """
        several = isinstance(self.groups, pd.MultiIndex)
        names = self.groups.names if several else [self.columns.get("group", "group")]
        return " × ".join(map(str, names))

    @property
    def effect(self) -> Measure | None:
        """What the estimates are effects of and on which scale, where that is known.

        Examples
        --------
        >>> import hierstan as hs
        >>> frame = hs.load_dataset("eight_schools")
        >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
        >>> data.effect is None
        True
        """
        return MEASURES[self.measure] if self.measure else None

    def __str__(self) -> str:
        return str(self.to_frame())

    def _repr_html_(self) -> str:
        return self.to_frame()._repr_html_()

    def __repr__(self) -> str:
        return f"GroupedData({'; '.join(wording.of_data(self._parts()))})"

    # internals ----------------------------------------------------------------------------------

    def _parts(self) -> intake.Intake:
        return intake.Intake(*(getattr(self, name) for name in intake.Intake._fields))

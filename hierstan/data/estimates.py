"""Estimates as they are given: with a standard error, an interval, or a covariance of them all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from hierstan.data import correlated, intake, published
from hierstan.data.frames import open_table
from hierstan.data.intake import Intake
from hierstan.errors import DataError
from hierstan.families import default


class Errors(NamedTuple):
    """What is said of the errors beside their columns; see `GroupedData.from_estimates`."""

    prob: float
    ratios: bool
    correlation: float | None
    covariance: object


def take(
    frame: object,
    columns: Callable[..., dict[str, Hashable]],
    given: Mapping[str, Hashable | None],
    errors: Errors,
    measure: str | None,
) -> Intake:
    """Check and take estimates; `columns` has the roles of all columns but those `given`."""
    own = {role: name for role, name in given.items() if name is not None}
    _, _, correlation, covariance = errors
    together = {role: value for role, value in own.items() if role == "within"}
    known = {*own} - {*together}
    if known not in ({"se"}, {"lower", "upper"}) and (known or covariance is None):
        raise DataError(
            "from_estimates takes either se= or both lower= and upper=; got "
            f"{' and '.join(f'{role}=' for role in own if role in known) or 'none of them'}."
        )
    if errors.ratios and "lower" not in known:
        raise DataError(
            "ratios=True goes with lower= and upper=. With se=, give logs of the ratios and "
            "the standard errors of those, and leave ratios= out."
        )
    measure = published.measure_of(frame, measure, errors.ratios)
    if together or correlation is not None or covariance is not None:
        correlated.check_arguments(own.get("within"), correlation, covariance)
    table = open_table(frame, columns(**own))
    if together or covariance is not None:
        taken = correlated.take(
            table, correlation, covariance, prob=errors.prob, ratios=errors.ratios
        )
    elif "se" in known:
        taken = intake.take(table, "estimates", default("estimates"))
    else:
        taken = published.take_intervals(table, errors.prob, errors.ratios)
    if "se" in known:
        published.warn_of_deviations(frame, own["se"])
    return taken._replace(measure=measure)

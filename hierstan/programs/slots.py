"""What fills the slots of a template: the priors and the bounds of their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

from hierstan.priors import Prior, Uniform
from hierstan.programs.pieces import BLOCKS

VECTORS = ("tau_level",)  # whose priors have numbers for each factor

Context = dict[str, SimpleNamespace]  # ``prior.mu`` is attribute ``mu`` of ``prior``


def prior_slots(priors: Mapping[str, Prior], lower_bounds: Mapping[str, float]) -> Context:
    """Return what templates can say about the priors."""
    return {
        "prior": SimpleNamespace(
            data="\n".join(_declarations(name, prior) for name, prior in priors.items()),
            **{
                name: f"{prior.stan_name}({prior.stan_arguments(name)})"
                for name, prior in priors.items()
            },
        ),
        "bounds": SimpleNamespace(
            **{name: _bounds(name, prior, lower_bounds) for name, prior in priors.items()}
        ),
    }


def attribute(block: str) -> str:
    """Return the name of a block in a slot."""
    return block.replace(" ", "_")


def names(context: Context) -> list[str]:
    """Return the names of the slots that can be filled."""
    return sorted(f"{noun}.{name}" for noun, known in context.items() for name in vars(known))


FAMILY_NAMES = ("family.comment", *(f"family.{attribute(block)}" for block in BLOCKS))
FAMILY_NAMES += ("family.estimates",)  # what a family's marginal file says of each observation
POPULATION_NAMES = ("population.lpdf", "population.rng")


# internals ------------------------------------------------------------------------------------


def _declarations(name: str, prior: Prior) -> str:
    kind, size = ("vector", "[F]") if name in VECTORS else ("real", "")
    return "\n".join(
        f"{kind}{_number_bounds(number)}{size} {name}_{number};" for number in prior.numbers()
    )


def _number_bounds(number: str) -> str:
    return "" if number in ("location", "lower", "upper") else "<lower=0>"


def _bounds(name: str, prior: Prior, lower_bounds: Mapping[str, float]) -> str:
    if isinstance(prior, Uniform):
        return f"<lower={name}_lower, upper={name}_upper>"
    return f"<lower={lower_bounds[name]:g}>" if name in lower_bounds else ""

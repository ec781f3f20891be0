"""The embedded engine: Stan without a C++ toolchain, and the evaluator of written quantities.

Stanli trusts its caller, so everything is checked before a call and again after it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hierstan.engines import (
    MAX_TREE_DEPTH,
    SAMPLE_STATS,
    Draws,
    Settings,
    check_data,
    check_finite,
)
from hierstan.engines.progress import progress_bar
from hierstan.engines.translation import translated
from hierstan.errors import EngineError, TemplateError
from hierstan.programs.program import Program

if TYPE_CHECKING:
    import stanli

_POINTER = ctypes.POINTER(ctypes.c_double)
MAX_VALUES = 2_000_000_000  # draws x columns, 16 GB


class Stanli:
    """Sample with the embedded engine."""

    name = "stanli"

    def version(self) -> str:
        """Return the engine's name and version, for people."""
        import stanli

        return f"stanli {stanli.__version__}"

    def sample(
        self,
        program: Program,
        data: Mapping[str, object],
        settings: Settings,
        inits: Sequence[Mapping[str, object]],
        variances: Mapping[str, np.ndarray] | None = None,
    ) -> Draws:
        """Draw from the posterior by NUTS."""
        import stanli

        with _translated(program):
            model = stanli.Model(stan_code=program.code, data=_json(data), seed=settings.seed)
            columns = len(model._column_names()[0])
            places = _grouped([name.replace("[", ".") for name in model.constrained_names])
        if inits and not set(places) <= set(inits[0]):
            inits = Evaluator(program, data).completed(inits, settings.seed)
        _check_size(settings, columns)
        with _translated(program), progress_bar(settings) as refresh:
            fit = model.sample(
                chains=settings.chains,
                seed=settings.seed,
                warmup=settings.warmup,
                samples=settings.draws,
                delta=settings.adapt_delta,
                max_depth=MAX_TREE_DEPTH,
                inits=_unconstrained(model, places, inits),
                inv_metric=inverse_metric(places, variances) if variances else None,
                refresh=refresh,
            )
        variables = {name: fit.draws(name) for name in fit.variables}
        stats = {
            SAMPLE_STATS[name]: fit.sampler_stats[:, :, column]
            for column, name in enumerate(stanli.SAMPLER_COLUMNS)
        }
        return check_finite(Draws(variables, stats))


class Evaluator:
    """Evaluate a program's density and written quantities at given parameters.

    Parameters
    ----------
    program : Program
    data : mapping
        The program's data.
    seed : int
        For the random numbers of generated quantities.
    """

    def __init__(self, program: Program, data: Mapping[str, object], seed: int = 1) -> None:
        import stanli

        with _translated(program), warnings.catch_warnings():
            warnings.simplefilter("error")
            self._model = stanli.bridgestan_model(
                stan_code=program.code, data=_json(data), seed=seed
            )
        self._rng = self._model.new_rng(seed)
        self._program = program
        self.parameters = _grouped(self._model.param_names())
        self._columns = _grouped(self._model.param_names(include_tp=True, include_gq=True))
        self._width = self._model.param_num(include_tp=True, include_gq=True)

    def reseed(self, seed: int) -> None:
        """Start the random numbers of generated quantities anew."""
        self._rng = self._model.new_rng(seed)

    def written(
        self, draws: Mapping[str, np.ndarray], wanted: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return what the program writes at each of S parameter values.

        Parameters
        ----------
        draws : mapping of str to numpy.ndarray
            For each parameter of the program, an array of shape (S, ...).
        wanted : sequence of str
            Names of transformed parameters or generated quantities.

        Returns
        -------
        dict of str to numpy.ndarray
            Arrays of shape (S, K), flat in column order.
        """
        missing = sorted(set(wanted) - set(self._columns))
        if missing:
            raise TemplateError(
                f"The program {self._program.name} writes no {', '.join(missing)}. An edited "
                "template must keep these generated quantities."
            )
        written = self.written_at(self.unconstrained(draws), wanted)
        return check_finite(Draws(written, {})).variables

    def unconstrained(self, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return S parameter values as points of the unconstrained space, (S, P)."""
        flat = self._flat(draws)
        probes = np.unique([0, len(flat) // 2, len(flat) - 1])
        points = self._free(flat[probes])
        if len(probes) == len(flat):
            return points
        if points.shape[1] == flat.shape[1]:
            # One call per draw is slow, and these two transforms are all that most programs have.
            with np.errstate(divide="ignore", invalid="ignore"):
                identity = (points == flat[probes]).all(axis=0)
                log = ~identity & (points == np.log(flat[probes])).all(axis=0)
            if (identity | log).all():
                flat[:, log] = np.log(flat[:, log])
                return flat
        return self._free(flat)

    def _free(self, flat: np.ndarray) -> np.ndarray:
        """Let the model unconstrain each row."""
        point, free = np.empty(flat.shape[1]), np.empty(self._model.param_unc_num())
        result = np.empty((len(flat), len(free)))
        place, into = _places(point, free)
        with _translated(self._program):
            for row, values in enumerate(flat):
                point[:] = values
                self._model.param_unconstrain(place, out=into)
                result[row] = free
        return result

    def written_at(self, points: np.ndarray, wanted: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what the program writes at points of the unconstrained space, see `written`."""
        result = {name: np.empty((len(points), _length(self._columns[name]))) for name in wanted}
        columns = [(result[name], self._columns[name]) for name in wanted]
        with _translated(self._program):
            point, everything = np.empty(points.shape[1]), np.empty(self._width)
            place, into = _places(point, everything)
            for row, values_at in enumerate(points):
                point[:] = values_at
                self._model.param_constrain(
                    place, include_tp=True, include_gq=True, out=into, rng=self._rng
                )
                for values, places in columns:
                    values[row] = everything[places]
        return result

    def values_at(self, points: np.ndarray) -> list[dict[str, object]]:
        """Return the parameters at points of the unconstrained space, as an engine takes them."""
        names = self._model.param_names()
        found: list[dict[str, object]] = [{} for _ in points]
        for row, point in zip(found, np.ascontiguousarray(points), strict=True):
            with _translated(self._program):
                values = self._model.param_constrain(point)
            for name, columns in self.parameters.items():
                shape = [int(index) for index in names[columns.stop - 1].split(".")[1:]]
                row[name] = values[columns].reshape(shape, order="F").tolist()
        return found

    def completed(
        self, points: Sequence[Mapping[str, object]], seed: int
    ) -> list[dict[str, object]]:
        """Return parameter values with those that they lack, as in an edited template, at random.

        On the unconstrained scale these are uniform between -1 and 1.
        """
        width = max(columns.stop for columns in self.parameters.values())
        random = np.random.default_rng(seed).uniform(-1, 1, (len(points), width))
        drawn = self.values_at(random)
        return [{**one, **point} for one, point in zip(drawn, points, strict=True)]

    def log_density(self, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the log density of the unconstrained parameters, without constants, shape (S,)."""
        return self.log_density_at(self.unconstrained(draws))

    def log_density_at(self, points: np.ndarray) -> np.ndarray:
        """Return the same at points of the unconstrained space, (S, P)."""
        result, point = np.empty(len(points)), np.empty(points.shape[1])
        (place,) = _places(point)
        with _translated(self._program):
            for row, values in enumerate(points):
                point[:] = values
                result[row] = self._model.log_density(place, propto=True, jacobian=True)
        return result

    def _flat(self, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        missing = sorted(set(self.parameters) - set(draws))
        if missing:
            raise EngineError(f"No draws of {', '.join(missing)} to evaluate the program at.")
        size = len(next(iter(draws.values())))
        flat = np.empty((size, sum(map(_length, self.parameters.values()))))
        for name, columns in self.parameters.items():
            values = np.asarray(draws[name], dtype=float)
            flat[:, columns] = (
                values.reshape(size, -1, order="F")
                if values.ndim < 3
                else (values.transpose(0, *range(values.ndim - 1, 0, -1)).reshape(size, -1))
            )
        return np.ascontiguousarray(flat)


def inverse_metric(places: Mapping[str, slice], variances: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the diagonal that adaptation starts from, given the places of the parameters."""
    diagonal = np.ones(max(columns.stop for columns in places.values()))
    for name, variance in variances.items():
        diagonal[places[name]] = variance
    return diagonal


# internals ------------------------------------------------------------------------------------


def _places(*arrays: np.ndarray) -> list[ctypes._Pointer]:
    """Point to arrays: what BridgeStan checks of one takes longer than a small program."""
    return [array.ctypes.data_as(_POINTER) for array in arrays]


def _grouped(names: Sequence[str]) -> dict[str, slice]:
    """Map each variable to its flat columns, from names such as ``theta.1``."""
    columns: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        columns.setdefault(name.split(".")[0], []).append(index)
    return {name: slice(positions[0], positions[-1] + 1) for name, positions in columns.items()}


def _length(columns: slice) -> int:
    return int(columns.stop - columns.start)


def _json(data: Mapping[str, object]) -> str:
    return json.dumps({name: array.tolist() for name, array in check_data(data).items()})


def _check_size(settings: Settings, columns: int) -> None:
    values = settings.chains * settings.draws * columns
    if values > MAX_VALUES:
        raise EngineError(
            f"{settings.chains} chains x {settings.draws} draws x {columns} columns need "
            f"{values * 8 / 1e9:.0f} GB. Ask for fewer draws."
        )


def _unconstrained(
    model: stanli.Model, places: Mapping[str, slice], inits: Sequence[Mapping[str, object]]
) -> np.ndarray | None:
    """Return starting points; None where there are none, or not of the program's shapes."""
    if not inits:
        return None
    rows = []
    for init in inits:
        values = {name: np.asarray(init[name]).tolist() for name in places}
        try:
            rows.append(model.unconstrain(values))
        except ValueError:
            return None
    return np.array(rows)


@contextlib.contextmanager
def _translated(program: Program) -> Iterator[None]:
    """Turn the engine's errors and warnings into hierstan's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="stanli:")
        try:
            yield
        except RuntimeWarning as warning:
            raise EngineError(
                f"The embedded engine cannot run all of the program {program.name}: {warning} "
                "Use engine='cmdstan', or other functions in the edited template."
            ) from warning
        except (RuntimeError, ValueError) as error:
            if isinstance(error, EngineError):
                raise
            raise translated(str(error), program) from error

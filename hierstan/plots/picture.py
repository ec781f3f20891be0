"""What every picture takes besides its data: where to be drawn, how large, and what it says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar

from hierstan.errors import HierstanError
from hierstan.text.wording import did_you_mean, listed, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

P = ParamSpec("P")
T = TypeVar("T")

PHONE = 4.0  # inches, of a picture for a narrow screen
AROUND = 1.7  # inches that title, caption and the like take

SHORT = "    **look\n        As of every picture.\n"
LONG = """\
    ax : matplotlib.axes.Axes, optional
        Draw into these axes, which get the title but no caption; of pictures with one panel.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Draw into this figure instead of a new one.
    title : str, optional
        Instead of what the picture says of itself; an empty one for none.
    labels : mapping or sequence of str, optional
        What to call the groups (or models, variables, ...): texts by their labels, or one for each
        in their order.
    figsize : (float, float), optional
        Width and height of a new figure, in inches.
"""


class Look(TypedDict, total=False):
    """What every picture takes; `picture` documents it."""

    ax: Axes | None
    figure: Figure | SubFigure | None
    title: str | None
    labels: Mapping[Hashable, str] | Sequence[str] | None
    figsize: tuple[float, float] | None


@dataclass
class Canvas:
    """What one picture was given, and which of it was heeded."""

    name: str
    given: Look
    heeded: set[str] = field(default_factory=set)

    def take(self, name: str) -> Any:
        """Return something that was given, or None."""
        self.heeded.add(name)
        return self.given.get(name)


_CANVAS: ContextVar[Canvas | None] = ContextVar("canvas", default=None)
_NARROW: ContextVar[bool] = ContextVar("narrow", default=False)


@contextmanager
def narrow() -> Iterator[None]:
    """Draw for a narrow screen: panels below each other, and no columns of figures beside them."""
    token = _NARROW.set(True)
    try:
        yield
    finally:
        _NARROW.reset(token)


def is_narrow() -> bool:
    """Whether pictures are drawn for a narrow screen, where each panel names its rows."""
    return _NARROW.get()


def canvas() -> Canvas:
    """Return what the picture that is being drawn was given."""
    return _CANVAS.get() or Canvas("this picture", {})


def picture(draw: Callable[P, T]) -> Callable[P, T]:
    """Give a picture ``ax=``, ``figure=``, ``title=``, ``labels=`` and ``figsize=``.

    The function takes ``**look: Unpack[Look]``, which it need not touch: `new_axes` and
    `hierstan.plots.style.finish` ask `canvas` for them, and `named` puts ``labels`` to use.

    Raises
    ------
    HierstanError
        For what is of the wrong kind, or what this picture has no use for.
    """
    inner = inspect.signature(draw)
    own = [p for p in inner.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in Look.__annotations__.items()
    ]
    plain = inner.replace(parameters=own)

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        look = {name: kwargs.pop(name) for name in Look.__annotations__ if name in kwargs}
        plain.bind(*args, **kwargs)
        given = {name: value for name, value in look.items() if value is not None}
        here = Canvas(draw.__name__, given)  # type: ignore[arg-type]
        _check(here)
        token = _CANVAS.set(here)
        try:
            result = draw(*args, **kwargs)
        finally:
            _CANVAS.reset(token)
        _check_heeded(here)
        return result

    drawn.__signature__ = inner.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    drawn.__doc__ = (draw.__doc__ or "").replace(SHORT, LONG)
    return drawn


def new_axes(width: float, height: float, rows: int, columns: int, **options: Any) -> Any:
    """Return axes (rows, columns), in a new figure or where the user wants them."""
    import matplotlib.pyplot as plt
    import numpy as np

    here = canvas()
    ax, figure, size = (here.take(name) for name in ("ax", "figure", "figsize"))
    if ax is not None:
        if rows * columns > 1:
            raise HierstanError(
                f"{here.name} has {rows * columns} panels, more than one ax= holds. Give figure=, "
                "a matplotlib figure or subfigure."
            )
        ax.spines[["top", "right"]].set_visible(False)
        return np.array([[ax]], dtype=object)
    stacked = is_narrow() and rows == 1
    if is_narrow():
        width, height = min(width, PHONE), height * (columns if stacked else 1)
    if figure is None:
        figure = plt.figure(figsize=size or (width, height))
    if whole(figure).get_layout_engine() is None:
        whole(figure).set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    if stacked:  # widths and gaps of panels beside each other mean nothing here
        return figure.subplots(columns, 1, squeeze=False).T
    return figure.subplots(rows, columns, squeeze=False, **options)


def whole(figure: Any) -> Any:
    """Return the figure that a part of one belongs to."""
    from matplotlib.figure import SubFigure

    while isinstance(figure, SubFigure):
        figure = figure.figure
    return figure


def height_of(ax: Axes, height: float) -> float:
    """Return the height of axes in inches: the one wanted, unless the user has settled it."""
    given = canvas().given
    if "ax" in given:
        return float(ax.get_window_extent().height / ax.figure.dpi)
    if "figure" in given or "figsize" in given:
        return max(1.0, float(ax.figure.bbox.height / ax.figure.dpi) - AROUND)
    return height


def named(keys: Sequence[Hashable], texts: Sequence[str]) -> list[str]:
    """Return what to call things: what `labels` says, else their own texts."""
    given = canvas().take("labels")
    if given is None:
        return list(texts)
    if isinstance(given, Mapping):
        strange = [key for key in given if key not in set(keys)]
        if strange:
            raise HierstanError(
                f"labels= renames {listed(strange)}, which {canvas().name} does not show."
                f"{did_you_mean(strange[0], list(keys))}"
            )
        return [str(given.get(key, text)) for key, text in zip(keys, texts, strict=True)]
    if len(given) != len(texts):
        raise HierstanError(
            f"labels= has {len(given)} texts, but {canvas().name} names {len(texts)} things: "
            f"{listed(list(keys))}. Give a text for each, or a mapping."
        )
    return [str(text) for text in given]


# internals ------------------------------------------------------------------------------------


def _check(here: Canvas) -> None:
    """Refuse what is of the wrong kind."""
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    given = here.given
    where = [name for name in ("ax", "figure", "figsize") if name in given]
    if len(where) > 1:
        raise HierstanError(f"{here.name}: give {where[0]}= or {where[1]}=, not both.")
    if not isinstance(given.get("ax"), (Axes, type(None))):
        raise HierstanError(f"ax= must be matplotlib axes, got {show(given['ax'])}.")
    if not isinstance(given.get("figure"), (FigureBase, type(None))):
        raise HierstanError(
            f"figure= must be a matplotlib figure or subfigure, got {show(given['figure'])}."
        )
    if not isinstance(given.get("title"), (str, type(None))):
        raise HierstanError(f"title= must be a text, got {show(given['title'])}.")
    labels = given.get("labels")
    if isinstance(labels, str) or not isinstance(labels, (Mapping, Sequence, type(None))):
        raise HierstanError(
            f"labels= must be a mapping or a list of texts, got {show(given['labels'])}."
        )
    if "figsize" in given:
        _check_size(given["figsize"])


def _check_size(size: Any) -> None:
    try:
        width, height = (float(side) for side in size)
    except (TypeError, ValueError):
        width = height = float("nan")
    if not (1 <= width <= 100 and 1 <= height <= 100):
        raise HierstanError(
            f"figsize= must be width and height in inches, from 1 to 100; got {show(size)}."
        )


def _check_heeded(here: Canvas) -> None:
    for name in here.given:
        if name not in here.heeded:
            why = "it names nothing" if name == "labels" else "it draws a figure of its own"
            raise HierstanError(f"{name}= means nothing to {here.name}: {why}. Leave it out.")

"""The eight schools, which most tests begin with."""

from __future__ import annotations

import hierstan as hs


def eight_schools() -> hs.GroupedData:
    frame = hs.load_dataset("eight_schools")
    return hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")

"""What fit_poolings returns: a mapping that prints."""

from __future__ import annotations

import pickle

import hierstan as hs


def test_three_fits_are_a_dict_and_print_side_by_side() -> None:
    schools = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    fits = hs.fit_poolings(data, seed=1, engine="stanli", progress=False)
    assert isinstance(fits, dict)
    assert list(pickle.loads(pickle.dumps(fits))) == ["complete", "none", "partial"]
    text = str(fits)
    assert text.startswith("Complete, no and partial pooling of 8 groups")
    line = next(line for line in text.splitlines() if line.startswith("A "))
    means = [hs.group_means(fit).loc["A", "mean"] for fit in fits.values()]
    assert line.split()[1:] == [f"{mean:.2f}" for mean in means]
    assert all(len(row) <= 88 for row in text.splitlines())
    assert "<table>" in fits._repr_html_()
    few = hs.fit_poolings(data, seed=1, engine="stanli", draws=50, progress=False)
    assert "NOT YET" in str(few)

"""The examples run as they stand and print what examples/README.md shows, claims included."""

from __future__ import annotations

import re
from pathlib import Path

import printed
import pytest

CLAIMS = {
    "ab_many_variants.py": [
        "On its own data the winner is v08, together it is v33",
        "'v08' looks best, but the model's choice is 'v33'",
        "The truly best is v33",
        "Use family='beta_binomial'",
    ],
    "batting_averages.py": [
        "The data cannot tell how different the groups are",
        "foreseen best by partial pooling",
    ],
    "crossed_segments.py": [
        "segments against the truth",
        "segments of which were never seen",
        "left to the groups themselves",
    ],
    "customer_segments.py": [
        "The truly best is trade fair",
        "the model's choice is 'trade fair'",
        "are infinite under the prior tau ~ HalfCauchy(1)",
    ],
    "edit_a_template.py": ["theta ~ student_t(4, mu, tau);", "student_t_rng(4, mu, tau)"],
    "eight_schools.py": ["The data cannot tell how different the groups are"],
    "experiment_by_country.py": [
        "where it sells more",
        "points raw, ",
        "Most launches right: partial pooling.",
    ],
    "multi_site_trial.py": [
        "The groups really differ",
        "Latitude explains",
        "They differ most for ",
        "Overall the rate is 1.74% with the treatment and 4.38% without",
        "Number needed to vaccinate, to benefit (NNTB) or to harm (NNTH)",
        "12 of 12 intervals of 90% hold the true effect",
    ],
    "pump_failures.py": ["The groups really differ"],
    "ratings.py": [
        "The groups really differ",
        "of one mean score may be of one mind, or divided",
    ],
    "stores_in_regions.py": ["The levels of region", "A store that is to open"],
    "three_level_meta_analysis.py": [
        "The levels of district",
        "studies in districts",
        "the next study will find",
    ],
    "store_satisfaction.py": [
        "The groups really differ",
        "Smallest error: partial pooling",
    ],
    "which_pooling.py": [
        "Complete pooling is adequate",
        "estimating each group alone is adequate",
        "estimating each group alone would ignore what the others tell",
        "The data cannot tell how different the groups are",
    ],
}


@pytest.fixture(scope="module")
def outputs() -> dict[str, str]:
    """Cache what each script printed."""
    return {}


def test_every_example_is_tested_and_in_the_gallery() -> None:
    names = {script.name for script in printed.EXAMPLES}
    page = printed.GALLERY.read_text(encoding="utf-8")
    assert names == set(CLAIMS)
    assert names == set(re.findall(r"\((\w+\.py)\)", page))


@pytest.mark.slow
@pytest.mark.parametrize("script", printed.EXAMPLES, ids=lambda script: script.stem)
def test_an_example_runs_and_prints_what_the_gallery_shows(script: Path, tmp_path: Path) -> None:
    output = printed.run_example(script, tmp_path)
    text = " ".join(output.split())
    assert [claim for claim in CLAIMS[script.name] if claim not in text] == []
    assert printed.differences(printed.shown_in_gallery(script), output) == []
    pictures = list((tmp_path / "output").glob("*.png"))
    assert pictures
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert (printed.PICTURES / picture.name).exists()


def test_partial_pooling_beats_both_extremes_on_the_stores() -> None:
    output = printed.shown_in_gallery(Path("store_satisfaction.py"))
    errors = {
        name: float(re.search(rf"^{name} +([\d.]+)", output.split("Against the true")[1], re.M)[1])
        for name in ("complete", "none", "partial")
    }
    assert errors["partial"] < 0.8 * min(errors["complete"], errors["none"])


def test_pictures_are_small_and_shown() -> None:
    page = printed.GALLERY.read_text(encoding="utf-8") + printed.README.read_text(encoding="utf-8")
    for picture in printed.PICTURES.glob("*"):
        assert picture.stat().st_size < 150_000
        assert f"pictures/{picture.name}" in page

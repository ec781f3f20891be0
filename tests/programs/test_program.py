from __future__ import annotations

from hierstan.programs.program import Program

CODE = """data {{
  real mu_location; // mu_scale goes with it
  real<lower=0> mu_scale;
}}
parameters {{
  real mu;
}}
model {{
  {statement}
}}
"""


def test_a_program_knows_which_data_it_reads_whatever_comments_say() -> None:
    own = Program("own", CODE.format(statement="mu ~ normal(0, 1); // not mu_location /* mu_scale"))
    assert own.read == set()
    part = Program("part", CODE.format(statement="mu ~ normal(mu_location, 1);"))
    assert part.read == {"mu_location"}
    assert set(part.data) == {"mu_location", "mu_scale"}

"""What the user fits: the three poolings and two-part models.

Imports from: data, engines, errors, families, fit, priors, programs, sampling, text.
"""

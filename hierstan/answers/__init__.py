"""What a fit says. Four folders, `check` and `diagnose`, which never import each other.

Imports from: data, engines, errors, families, fit, priors, programs, sampling, text.
"""

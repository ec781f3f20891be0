"""The result of a fit, and what is made from its draws.

Imports from: data, engines, errors, families, priors, programs, sampling, text, whole_file.
"""

"""The command line.

Imports from: answers, data, datasets, errors, families, fit, models, plots, priors, programs,
report, text.
"""

"""The command line.

Imports from: answers, data, datasets, errors, fit, models, plots, programs, report, text.
"""

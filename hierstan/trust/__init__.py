"""Checks of the models themselves: simulation, calibration, certificates, two engines.

Imports from: data, engines, errors, families, fit, models, priors, programs, sampling, text.
"""

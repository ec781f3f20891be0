"""From a plan to draws: inputs, coordinates, starting points, convergence.

Imports from: data, engines, errors, families, priors, programs, text.
"""

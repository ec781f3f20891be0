"""How observations arise: one Python file per family, beside its Stan file.

Imports from: priors.
"""

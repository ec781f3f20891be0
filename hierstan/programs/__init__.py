"""Stan programs from the templates in ``stan/``.

Imports from: errors, priors, whole_file.
"""

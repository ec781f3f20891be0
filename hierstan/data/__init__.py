"""The user's table: checked, reduced, grouped.

Imports from: errors, families, text.
"""

"""Words, numbers and tables for people.

Imports from: nothing.
"""

"""The table of operations: one row each, and the expressions that rows are written in.

Knows nothing of numbers, nodes or graphs; everything about an operation is read from here.
"""

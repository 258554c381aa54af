"""What each type of number can do: how it computes a row of the table, and how people read it.

Knows the table, and nothing of nodes and graphs.  Third parties' packages are imported only where a number
of theirs was given.
"""

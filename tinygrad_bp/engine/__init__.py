"""Nodes, the operations that make them, and the walk and the pass over their graph.

To read how ``w * x`` becomes a node and how ``backward()`` runs: `value`, `operations`, `graph`.  Knows nothing of
what explains, draws or trains.
"""

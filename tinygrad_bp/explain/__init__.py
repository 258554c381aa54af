"""Why a gradient is that number: paths, steps, formulas and reports, read from a recorded graph.

Knows nodes and their graph; nothing of networks, and no pictures.
"""

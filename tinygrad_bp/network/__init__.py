"""The layered network in the note's notation: its runs, their derivation, its samples and files.

Knows the engine and what explains; training stands in `tinygrad_bp.training`, the note's own formulas in
`tinygrad_bp.note`.
"""

"""How Hypothesis runs: the same examples everywhere, so that a run says something of the code alone.

``pytest --hypothesis-profile=search`` looks for new ones instead.
"""

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")

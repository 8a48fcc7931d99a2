"""Patel et al. (section 3.4) on the sorting runs. Filled in once the runs are there."""

from tools.claims import Suite

SUITE = Suite("Sorting", lambda rows: [], dict, [], lambda rows: [])

"""One folder for each experiment: how its runs are made, what is measured on them, what was
claimed.
"""

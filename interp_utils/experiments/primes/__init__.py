"""Primes (Syrkis 2024; Patel et al., section 3.1): trainings and what is measured of them. No runs
and no claims yet.
"""

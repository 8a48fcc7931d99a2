"""Greatest common divisors (Charton 2023; Patel et al., section 3.2): trainings and what is
measured of them. No runs and no claims yet.
"""

"""n mod q for many q at once (Syrkis and Søgaard 2024)."""

"""A decoder-only transformer, under HookedTransformer's names."""

"""Why it works: pure functions on tensors."""

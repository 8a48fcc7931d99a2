"""Why a model works: pure functions on tensors."""

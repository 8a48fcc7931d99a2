"""Which rows a claim is about."""

from __future__ import annotations

from functools import partial

from interp_utils.experiments.claims import where

of_kind = partial(where, "kind")
OURS, ADDITION = of_kind("T_miiii"), of_kind("T_nanda")

"""x^a + y^b mod p: addition under other names (Patel et al., section 3.3)."""

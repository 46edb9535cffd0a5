"""``kubectl mm``: what the operator saw, decided and does, for people."""

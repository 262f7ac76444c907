"""Benches: what Cellgate and its choices cost, measured."""

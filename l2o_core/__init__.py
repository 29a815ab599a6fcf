"""Learned optimizers that are equations: train, distil, understand and reuse them."""

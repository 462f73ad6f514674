"""Benchmarks: each compares with a peer or a physical limit in one run and prints ratios."""

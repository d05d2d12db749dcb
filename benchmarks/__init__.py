"""Benchmarks: LaserCats side by side with what else one would use. Run `python -m benchmarks`."""

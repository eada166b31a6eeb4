"""What scripts/bench measures. Each figure stands beside its own bounds, taken in the same minutes."""

"""Predictive prefetch: what will be asked next, and whether fetching it pays."""

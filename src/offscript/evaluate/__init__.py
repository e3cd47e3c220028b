"""Evaluation: labels, metrics, the demonstration."""

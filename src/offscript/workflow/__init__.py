"""Workflows: the tasks of a system, learnt from its normal sessions, as graphs of log keys (CCS 2017 section 4)."""

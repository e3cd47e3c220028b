"""The models: log keys, and their calibration."""

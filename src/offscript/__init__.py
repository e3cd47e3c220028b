"""offscript tells you when a system goes off script."""

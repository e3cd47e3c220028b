"""Sources: files, standard input, following a growing file."""

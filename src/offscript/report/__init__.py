"""The page that `offscript detect --report` writes: what was found, as one HTML file that loads nothing."""

"""`python -m offscript` is the command line."""

from offscript.cli import main

main()

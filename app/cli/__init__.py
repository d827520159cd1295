"""The command line `hoi`: runs the province, moves its database forward, tests and measures it."""

from app.cli.verbs import hoi, main

"""Other companies' systems, simulated: one folder for each, a program of its own that an operator may run as a sandbox.

Nothing here is part of Hồi: `app` and `worker` never import it, and it shares nothing with them but the clock, so that a test can move both.
"""

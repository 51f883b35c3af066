"""The business: the pure core in ``actors.machine`` and the shell that runs it.

Importing this package must stay cheap: every Ray worker does it.
"""

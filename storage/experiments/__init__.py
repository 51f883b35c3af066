"""Experiments: something is tried on some machines, or on some of their days, and what that changed
is told with how sure it is.

Flows in: what people want to try (``content``), on which machines (``audience``), and what the
follower of the books tells of sales (``history``). Flows out: the smallest lift that can be seen
(``foreseeing``), a frozen assignment (``experiments``), what each machine is to have now and
whether it has (``arms``, ``prices``), and at the end day the lift (``measuring``). Read from sums
that are there anyway; no sale waits for any of it.
"""

"""``vendgate certify``: a gateway that examines a machine over the real protocol.

Flows in: a machine's streams, a tester or a script at its buttons and its plug. Flows out: a report
that says of each rule of docs/firmware.md whether the machine keeps it, with what was seen.

``rules`` is the list of them. Each has a play (``plays_of_vends``, ``plays_of_streams``), which
talks to the machine through the ``desk``, and a judge (``judges_of_vends``, ``judges_of_streams``,
``judges_of_all``), which is pure: moments in, a verdict out. ``hands`` presses buttons,
``examination`` goes from rule to rule, ``report`` writes, ``server`` is gRPC, ``command`` the
command line, ``reference`` our own machine. It needs no Ray, no SQL and no Alipay.
"""

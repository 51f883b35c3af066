"""Machines and customers that talk real gRPC: the machine makers' reference, the demo's fleet and
the tests' other side.

Flows in: frames of ``gateway.v1``, buttons that customers press, power cuts. Flows out: frames, the
journal and the shelf on disk. It shares the wire with the rest of the product and not a line of
code: only ``gateway.v1`` is imported.

Inside, from the pure to the physical: ``commands``, ``happenings`` and ``memory`` are values;
``outbox``, ``connection``, ``sessions``, ``vending`` and ``machine`` decide; ``journal`` and
``shelf`` are what survives a kill; ``board`` carries out; ``line`` and ``machine_client`` talk;
``customer``, ``scripts`` and ``fleet`` are the people. ``client`` and ``fleet`` are command lines.
"""

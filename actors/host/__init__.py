"""A host: thousands of machine actors in one process, and the loop that turns them.

This is all it does; the rest of the room is how, and what happens when something fails::

    while True:
        wait for a letter, a deadline or a machine to load      loop._something_to_do
        let go of machines whose partition leaves               leaving
        put a letter into each mailbox whose deadline came      timers -> mailboxes
        read the rows of machines that must be loaded           loading
        batch = some letters of each machine that is ready      mailboxes.take
        turns = the core's decision on each letter              loop.decide -> runner.turn
        COMMIT all of them in one transaction, or none          loop.commit -> saving
        send what the turns ordered: frames, calls, answers     loop.release -> release

Four duties follow from it, in this order:

1. *Take.* Everything that happens to a machine is a letter in its own bounded mailbox, decided on
   in the order in which it came. What comes in by a gateway, a notification, an answer of Alipay's,
   a deadline and an administrator's act are all the same here (``runner.Letter``).
2. *Decide.* The core (``actors.machine``) is pure: a state, an event, the time and the policy in; a
   state, effects and ledger entries out. One machine's defect halts that machine (``halts``).
3. *Save.* Nothing leaves before the COMMIT that justifies it. A COMMIT proves that this host still
   owns its partitions; if it does not, the host ends. If nobody answers, the machines are in doubt
   and are read again before anything else is decided (``saving``, ``life``).
4. *Release.* Frames go to the gateway through which the stream is reached (``gateways``,
   ``attachment``), calls go to Alipay and come back as letters (``calls``).

Who owns which lifetime: ``Host`` owns the claim on the partitions, its beat and two tasks, the loop
and the sweeps; one that follows the layout a third, which gives partitions up and takes others in
(``moves``). The loop owns loads, calls and timers. ``Mailboxes`` owns the runners, one for each
machine in memory; a runner is in one of the lives of ``life`` and moves by its table only. An
attachment lives from a gateway's ``attach`` to the next one, or until the gateway falls silent.

Time is the loop's; the wall clock is read once a batch and is an argument from there on. The same
``Host`` runs in a Ray actor, beside the gateway and on a virtual clock. Begin with ``loop``.
"""

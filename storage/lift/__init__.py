"""What an experiment changed, and how sure that is: pure mathematics of the standard library.

Flows in: machines with what they sold in which time, and a seed. Flows out: who is in which arm
(``assignment``), one difference for each block (``differences``), and what all differences together
say (``estimate``). Of an offer flows in what its payers spent, and out what that says
(``payers``). The unit of the assignment is the unit of the analysis: a thousand sales of one
machine, or to one payer, are one observation. Floats are estimates here; no money is moved by any
of them.
"""

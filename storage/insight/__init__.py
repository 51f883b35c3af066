"""What is told of sales: made of the books by a follower, after the fact, and asked by people.

The follower goes along the journal by position (``follower``), makes facts of its lines (``facts``,
pure) and adds them up (``rollups``), in one transaction with its position. No sale waits for it,
and nothing of it is a book: it can all be made again, and is proved against the ledger
(``proving``).
"""

"""The lake: facts of sales as Parquet files by local day, for questions that SQL should not be
asked, and for whoever reads files and not databases.

SQL holds the list of its files (``lists``), so that files become a whole, or nothing, in one
transaction. A file is planned there, written aside, made durable, renamed and then confirmed
(``writing``). ``exporting`` adds what the follower of the books has told meanwhile, ``compacting``
makes one file of a day's, ``cubes`` adds facts up, ``asking`` answers questions, ``proving``
compares all of it with facts and ledger. One process at a time writes (``keeper``).
"""

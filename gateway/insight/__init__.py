"""What is told of sales: the command of who follows the books, and the calls that answer from what
was made of them.
"""

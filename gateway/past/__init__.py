"""A fleet's past, lived before somebody looks: weeks of sales on virtual time, through the
product's own parts. What the tried prices do, and which district turns hot, customers alone know;
what the product finds is told beside it.
"""

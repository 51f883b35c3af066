"""The whole system on one computer, for people who want to see it work: real processes, real
sockets, real signatures.
"""

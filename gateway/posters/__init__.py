"""Posters: what is printed and stuck on a machine, from the text of its code."""

"""Drills on a machine: the turns, the reader, what is looked at meanwhile, and the guard."""

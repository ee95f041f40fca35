"""`candour bench`: how close the real servers come to the bare tools, on this machine, in this run.

Absolute figures say more about a machine than about Candour. So every figure stands beside the same work done by a
bare tool, both measured in turn, several times, and what is quoted is the ratio of their medians.
"""

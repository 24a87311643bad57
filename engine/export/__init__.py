"""Carrying a run away: as a command line, weights, numbers, an animation, or a script of its own.

Nothing is imported here: animations and CSV files are written without torch.
"""

"""Deepscope's window: all that is on screen. It computes nothing."""

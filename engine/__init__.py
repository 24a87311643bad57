"""Deepscope's engine: all computation. It never imports Qt or the window."""

__version__ = "0.1.0"

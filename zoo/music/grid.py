"""The grid: how finely music is read. A module of its own, since commands need it before they need numpy."""

GRID = 4
"""Frames to a quarter note unless the user says otherwise: sixteenth notes."""
FINEST_GRID = 48
"""The most frames to a quarter note."""

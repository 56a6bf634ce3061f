"""The keyboard: the numbers that planes, codes and files agree on."""

KEYS = 88
LOWEST_KEY = 21
"""MIDI pitch of the first of the 88 keys, A0."""
PITCH_CLASSES = 12

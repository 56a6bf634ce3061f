"""A small attention, as a file of code that tests give to a command."""

from __future__ import annotations

MINE = """
from zoo.parts import Description, Settings, hookimpl
from zoo.parts.interfaces import Attention
from zoo.parts.layers import LSTM

class Mine(Attention):
    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = 5
        self.lstm = LSTM(sizes.inputs, 5)

    def start(self, past):
        return self.lstm.start(past.shape[0])

    def forward(self, codes, clock, state):
        return self.lstm(codes, state)
"""

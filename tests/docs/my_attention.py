from zoo.parts import Description, hookimpl
from zoo.parts.interfaces import Attention
from zoo.parts.layers import LSTM


class Mine(Attention):
    def __init__(self, settings, sizes):
        super().__init__(settings, sizes)
        self.features = 64
        self.lstm = LSTM(sizes.inputs, self.features)

    def start(self, past):
        return self.lstm.start(len(past))

    def forward(self, heard, clock, state):
        return self.lstm(heard, state)


@hookimpl
def zoo_parts():
    summary = "An LSTM over every frame"
    return [Description("attention", "mine", summary, Mine, gives=lambda settings: {"features": 64})]

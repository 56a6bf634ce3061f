"""Delay lines that are connected with each other: a loop over frames, forward and backward.

The backward pass is written by hand, because autograd takes about twice the time for the many small
operations of each frame. Whatever does not depend on later frames is computed for all frames at once.

States are stored in the frame that reads them: the output of a line of lag 16 in frame t is stored at frame
t + 16. The inputs of all lines in a frame are therefore contiguous, and so are their gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, pad

Memory = tuple[Tensor, Tensor]
Recent = tuple[Memory, ...]
"""For each line its hidden and cell state in the last `lag` frames, oldest first, each (B, lag, H)."""


class MixedLines(nn.Module):
    """One LSTM cell over all groups, whose recurrent input is their delayed states side by side."""

    def __init__(self, inputs: int, group: int, lags: tuple[int, ...]) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(inputs, group * len(lags))
        self.lags = lags
        self.group = group

    def forward(self, present: Tensor, recent: Recent) -> tuple[Tensor, Recent]:
        """Hidden states of all groups (B, T, groups * H), frame after frame."""
        length = present.shape[1]
        present_gates = linear(present, self.cell.weight_ih, self.cell.bias_ih + self.cell.bias_hh)
        frames = length + max(self.lags)
        hidden, cell = (_by_reading_frame([memory[plane] for memory in recent], frames) for plane in (0, 1))
        outputs, hidden, cell = _DelayedLSTM.apply(  # type: ignore[no-untyped-call]
            present_gates.to(hidden).transpose(0, 1).contiguous(),
            self.cell.weight_hh,
            hidden,
            cell,
            self.lags,
        )
        after = tuple(
            (_states_read(hidden, line, length, lag), _states_read(cell, line, length, lag))
            for line, lag in enumerate(self.lags)
        )
        return outputs.transpose(0, 1), after


def _by_reading_frame(memories: list[Tensor], frames: int) -> Tensor:
    """States (B, lag, H) of each line by the frame that reads them, (frames, B, lines, H), padded with 0."""
    rows = [pad(memory, (0, 0, 0, frames - memory.shape[1])) for memory in memories]
    return torch.stack(rows, dim=2).transpose(0, 1).contiguous()


def _states_read(states: Tensor, line: int, first: int, lag: int) -> Tensor:
    """The states of a line that are read in some frames, (B, lag, H)."""
    return states[first : first + lag, :, line].transpose(0, 1)


class _DelayedLSTM(torch.autograd.Function):
    """The LSTM cell over T frames.

    Inputs: the contribution of the present to the gates (T, B, 4 * width), the weight of the delayed states
    (4 * width, width), the hidden and cell states by the frame that reads them (A, B, lines, H) with
    A = T + longest lag, and the lags. Outputs: the hidden states (T, B, width), and the hidden and cell
    states by the frame that reads them, now for all frames.
    """

    @staticmethod
    def forward(
        ctx: Any, present_gates: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, lags: tuple[int, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        length, batch, _ = present_gates.shape
        group = hidden.shape[-1]
        hidden, cell = hidden.clone(), cell.clone()
        places = _places(length, batch, lags, present_gates.device)
        gates = torch.empty_like(present_gates).view(length, batch, 4, -1)
        outputs, tanh_cell = torch.empty_like(gates[:, :, 0]), torch.empty_like(gates[:, :, 0])
        for t in range(length):
            gate = gates[t]
            torch.addmm(present_gates[t], hidden[t].view(batch, -1), weight.T, out=gate.view(batch, -1))
            gate[:, :2].sigmoid_()
            gate[:, 2].tanh_()
            gate[:, 3].sigmoid_()
            input_gate, forget_gate, candidate, output_gate = gate.unbind(1)
            now = (forget_gate * cell[t].view(batch, -1)).addcmul_(input_gate, candidate)
            torch.tanh(now, out=tanh_cell[t])
            torch.mul(output_gate, tanh_cell[t], out=outputs[t])
            cell.view(-1, group).index_copy_(0, places[t], now.view(-1, group))
            hidden.view(-1, group).index_copy_(0, places[t], outputs[t].view(-1, group))
        ctx.save_for_backward(weight, hidden, cell, gates, tanh_cell)
        ctx.lags = lags
        return outputs, hidden, cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor) -> tuple[Tensor | None, ...]:
        weight, hidden, cell, gates, tanh_cell = ctx.saved_tensors
        length, batch, _, width = gates.shape
        group = hidden.shape[-1]
        places = _places(length, batch, ctx.lags, gates.device)
        input_gate, forget_gate, candidate, output_gate = gates.unbind(2)
        before = cell[:length].flatten(2)
        # Derivatives of the cell by its first three gates, and of the output by the last gate and the cell.
        by_gate = torch.stack(
            [
                candidate * input_gate * (1 - input_gate),
                before * forget_gate * (1 - forget_gate),
                input_gate * (1 - candidate.square()),
            ],
            dim=2,
        )
        by_out = tanh_cell * output_gate * (1 - output_gate)
        by_cell = output_gate * (1 - tanh_cell.square())
        d_hidden, d_cell = d_hidden.clone(), d_cell.clone()
        d_gates = torch.empty_like(gates)
        for t in reversed(range(length)):
            d_now = d_outputs[t] + d_hidden.view(-1, group)[places[t]].view(batch, width)
            d_state = d_cell.view(-1, group)[places[t]].view(batch, width).addcmul_(d_now, by_cell[t])
            torch.mul(by_gate[t], d_state.unsqueeze(1), out=d_gates[t, :, :3])
            torch.mul(by_out[t], d_now, out=d_gates[t, :, 3])
            d_cell[t].view(batch, width).addcmul_(d_state, forget_gate[t])
            d_hidden[t].view(batch, width).addmm_(d_gates[t].view(batch, -1), weight)
        d_present_gates = d_gates.flatten(2)
        d_weight = d_present_gates.flatten(0, 1).T @ hidden[:length].reshape(-1, width)
        return d_present_gates, d_weight, d_hidden, d_cell, None


def _places(length: int, batch: int, lags: tuple[int, ...], device: torch.device) -> Tensor:
    """Rows of (A, B, lines) in which the states of each frame are stored, (T, B * lines)."""
    frames = torch.arange(length, device=device).view(-1, 1, 1) + torch.tensor(lags, device=device)
    rows = torch.arange(batch * len(lags), device=device).view(batch, -1)
    return (frames * rows.numel() + rows).flatten(1)

"""A trained model in another program: its attention in another module, streaming, fine-tuning, export.

    python examples/engineer.py BUNDLE MUSIC

BUNDLE is a folder, or the name of a pretrained model such as `bach`; MUSIC a folder of MIDI files or `bach`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import zoo
from zoo.model.export import export_part
from zoo.parts.clock import Clock
from zoo.parts.optional import accepted


class NextChord(nn.Module):
    """Another network on top of a trained attention: how many keys are pressed next?"""

    def __init__(self, model: zoo.ZooModel) -> None:
        super().__init__()
        self.attention = model.model.attention
        self.head = nn.Linear(self.attention.features, 1)

    def forward(self, heard: Tensor, clock: Clock) -> Tensor:
        """The expected number of keys (B, T) after each frame (B, T, H), as the encoder lets it be heard."""
        features, _ = self.attention(heard, clock, self.attention.start(heard[:, :0]))
        return self.head(features).squeeze(-1)


def train_head(model: zoo.ZooModel, corpus: zoo.Corpus) -> float:
    """Train the new head for a few steps with the attention frozen. Returns the last loss."""
    network = NextChord(model)
    network.attention.requires_grad_(False)
    optimizer = torch.optim.Adam(network.head.parameters(), lr=0.01)
    batch = model.model.batch(corpus.fragments(corpus.starts()[:4]))
    for _ in range(5):
        loss = (network(batch.inputs, batch.clock) - batch.keys.sum(-1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.attention.requires_grad_(True)
    return loss.item()


def stream(model: zoo.ZooModel, frames: int) -> list[list[int]]:
    """New music frame by frame, as for live accompaniment: the pressed keys of each frame."""
    module, chance = model.model.eval(), torch.Generator().manual_seed(0)
    sampler, decoder = module.sampler, module.decoder
    keys = torch.zeros(1, 1, 88)
    codes = module.encoder.fold(keys)
    heard = module.encoder.heard(keys, codes)
    attention_state = module.attention.start(heard[:, :0])
    # `past` and `clock` are optional parameters: parts have them only if they use them.
    voices = sampler.start(1, **accepted(sampler, "start", past=codes))
    hands = decoder.start(1, **accepted(decoder, "start", past=keys[:, :0]))
    played = []
    with torch.inference_mode():
        for frame in range(frames):
            before, now = (
                Clock.common_time(torch.tensor([[place]]), model.recipe.grid) for place in (frame - 1, frame)
            )
            features, attention_state = module.attention(heard, before, attention_state)
            codes, voices = sampler.sample(features, voices, chance, **accepted(sampler, "sample", clock=now))
            keys, hands = decoder.sample(codes, keys, hands, chance, **accepted(decoder, "sample", clock=now))
            heard = module.encoder.heard(keys, codes)
            played.append(keys[0, 0].nonzero().flatten().tolist())
    return played


def main(bundle: str, music: str) -> None:
    """Run each example once, in a few seconds."""
    model, corpus = zoo.load(bundle), zoo.open_corpus(music)
    print(f"another network on its attention: loss {train_head(model, corpus.split('train')):.2f}")
    print(f"streamed: {stream(model, 16)}")
    result = model.fit(corpus, steps=2, batch=2, progress=False)
    print(f"fine-tuned for {result.step} steps")
    pieces = model.generate(bars=2, count=3, seed=1)
    print(f"a batch: {[len(piece.notes()) for piece in pieces]} notes")
    exported = export_part(model.model, "attention")
    torch.export.save(exported.program, Path("attention.pt2"), extra_files={"README.md": exported.readme})
    print(f"attention.pt2 differs from the attention by at most {exported.error:.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])

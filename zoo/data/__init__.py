"""Corpora: music that is read once, cached, split by content, and served in fragments."""

from zoo.data.corpus import Corpus
from zoo.data.opening import open_corpus
from zoo.data.piece import Piece, Skipped

__all__ = ["Corpus", "Piece", "Skipped", "open_corpus"]

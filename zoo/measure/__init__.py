"""Measuring: nats per frame, one number for every combination, with what may be said of it."""

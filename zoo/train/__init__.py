"""Training: `fit`, its batches, its state (`learner`), run folders (`run`) and events (`events`)."""

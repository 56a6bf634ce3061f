"""Training: the loop (`fit`), its batches, what it keeps (`learner`, `run`) and reports (`events`)."""

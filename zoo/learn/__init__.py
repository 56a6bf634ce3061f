"""Training: the loop (`fit`), what it hears (`lessons`), keeps (`learner`, `run`) and tells (`events`)."""

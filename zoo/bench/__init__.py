"""Benchmarks: many combinations trained under one budget and set side by side by one number.

`study` reads what is asked for, `cell` says what must be trained for it, `work` does one such piece of
work, `local` and `on_ray` do many, and `driver` does what is missing. `rows` are put together from what was
stored (`results`), `sheet` turns them into words and figures, `verdict` into sentences, and `printing`
prints them.
"""

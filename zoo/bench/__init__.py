"""Benchmarks: many combinations trained under one budget and set side by side by one number.

`study` reads what is asked for and `grid` its combinations, `subjects` and `cell` say what must be trained
for them, `work` does one such piece of work, `local` and `on_ray` do many, and `driver` does what is
missing. `rows` are put together from what was stored (`results`, `stored`), `sheet` turns them into words
and figures, `verdict` into sentences, and `printing` prints them.
"""

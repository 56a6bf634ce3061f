"""Benchmarks: many combinations trained under one budget and set side by side by one number.

`study` reads what is asked for, `cell` says what must be trained for it, `work` does one such piece of
work, `local` and `on_ray` do many, `driver` does what is missing, `standing` puts the rows together from
what was stored, and `sheet` prints them.
"""

"""Benchmarks: train many combinations under one budget and rank them by one number.

`study` reads the file of a study and `grid` its combinations. `components` and `cell` list the trainings they
need, `work` runs one of them, `local` and `on_ray` run many, and `driver` runs those whose results are
missing. `assembly` makes tables of `rows` from stored results (`results`, `stored`), `formatted` turns them
into text, `verdict` into sentences, and `printing` prints them.
"""

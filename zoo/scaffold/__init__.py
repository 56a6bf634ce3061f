"""Beginnings of plugins: a small real part for each slot, which `zoo plugin new` writes under a new name.

Each slot has a package here, `__init__.py` with the description and `part.py` with the class, and the same
part in a single file, `alone.py`. They are ordinary modules that keep their contract as they stand. Their
name, `newcomer`, is what becomes the name of the plugin.
"""

"""Templates of plugins: a small working part for each slot, which `zoo plugin new` copies under a new name.

Each slot has a package with the description in `__init__.py` and the class in `part.py`, and a similar part
in a single file, `alone.py`. The templates are ordinary modules that pass the contract checks. Their name,
`newcomer`, is replaced by the name of the plugin.
"""

"""Running what is measured: a cell, a statement, a block, a script.

The cell stays a cell: `prologue` turns ``%%memprofile`` on a cell's first line
into one statement, and IPython runs the rest as it runs any cell. `session`
pairs the beginning of a measurement with the end of the execution it belongs to.
Each other module makes the measurement of one family out of its engines.
"""

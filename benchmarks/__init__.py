"""How fast, how late and how large Offhook is: the figures of docs/design/performance.md, measured by `make bench`.

Nothing here asserts a figure; a run prints what it found beside the floors.
"""

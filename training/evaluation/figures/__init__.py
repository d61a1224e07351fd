"""The reports' figures, one kind a module: `draw_x` writes the SVG, `describe_x` words it.

`bundle` draws all that a report or a comparison has numbers for.
"""

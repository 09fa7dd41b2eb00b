"""Weight files: readers of foreign formats, presets, and the way into a model."""

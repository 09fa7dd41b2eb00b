"""Pages about tests: one HTML file of its own, for a browser without a network."""

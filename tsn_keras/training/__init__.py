"""The activity that trains a segment network."""

"""The activity that scores the videos of a data set and counts what is right."""

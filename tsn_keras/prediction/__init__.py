"""The activity that predicts what a video shows."""

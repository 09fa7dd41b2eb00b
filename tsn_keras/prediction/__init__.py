"""The activity that says what a video shows."""

"""The activity that explains predictions, and shows what a class looks like."""

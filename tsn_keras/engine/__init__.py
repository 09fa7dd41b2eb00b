"""Where data meets model: scoring, score files, metrics, reports."""

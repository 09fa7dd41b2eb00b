"""Official annotations to records, and the frame folders that lie on disk."""

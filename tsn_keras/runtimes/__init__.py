"""Other programs that run networks: their files, and what runs them here."""

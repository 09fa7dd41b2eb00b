"""What every room needs: errors, progress, safe files. Imports no other room."""

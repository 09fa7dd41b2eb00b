"""Records of what varies in the input: modalities, protocols, and their arithmetic."""

"""Score files, fusion, metrics, tables and pictures of them. No TensorFlow."""

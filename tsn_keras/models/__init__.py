"""Keras models, their layers, and the records of published weights."""

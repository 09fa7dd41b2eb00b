"""Backbones, the layers that Keras lacks, consensus, TSN, folding, training rules."""

"""tf.data pipelines: files to batches of the network's input, on every device."""

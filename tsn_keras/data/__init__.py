"""Videos to arrays: annotations, sampling, decoding, transforms, pipelines."""

"""Makes forward_rgb.npz and forward_flow.npz from the full golden arrays.

python tests/golden/make_forward.py GOLDEN

GOLDEN is the folder of arrays that the original Caffe fork computed (commit
9831a2b4, CPU, TEST phase of the deploy prototxts, random weights). Kept here:
the input and the blobs of the first of its two images, sampled at up to 64
places each, and the batch norms' blobs; the other weights are regenerated from
their names by the formula in forward_check.py.
"""

import pathlib
import sys

import numpy as np


def main(golden):
    for modality in ("rgb", "flow"):
        full = np.load(golden / f"forward/ucf101_{modality}_key_f32.npz")
        samples = np.load(golden / f"forward/ucf101_{modality}_samples.npz")
        norms = np.load(golden / f"weights/ucf101_{modality}_bn_blobs.npz")
        head = np.load(golden / f"forward/hmdb51_{modality}_key_f32.npz")
        kept = {f"norm:{name}": norms[name] for name in norms.files}
        kept["image"] = full["data_u8"][0]
        kept["fc-action:ucf101"] = full["f32:fc-action"][0]
        kept["fc-action:hmdb51"] = head["f32:fc-action"][0]
        for blob in samples["blob_names"]:
            index, value = samples[f"idx:{blob}"], samples[f"val:{blob}"]
            first = index < np.prod(samples[f"shape:{blob}"]) // 2
            kept[f"index:{blob}"] = index[first].astype(np.int32)
            kept[f"value:{blob}"] = value[first]
            # Magnitude of the blob, to which errors are compared.
            _, _, low, high, _ = samples[f"stat:{blob}"]
            kept[f"magnitude:{blob}"] = np.float32(max(abs(low), abs(high)))
        path = pathlib.Path(__file__).with_name(f"forward_{modality}.npz")
        np.savez_compressed(path, **kept)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

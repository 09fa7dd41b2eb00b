"""The model card of a shared network: what a reader must know, from its record."""

import json

from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES

_CITATION = """\
@inproceedings{wang2016temporal,
  title = {Temporal Segment Networks: Towards Good Practices for Deep Action
    Recognition},
  author = {Wang, Limin and Xiong, Yuanjun and Wang, Zhe and Qiao, Yu and Lin, Dahua
    and Tang, Xiaoou and Van Gool, Luc},
  booktitle = {ECCV},
  year = {2016}
}"""
# Figures of a validation: (title, unit).
_FIGURES = {
    "top1": ("top-1 accuracy", " %"),
    "mean_class_accuracy": ("mean class accuracy", " %"),
    "mean_average_precision": ("mean average precision", " %"),
    "videos": ("videos", ""),
}


def text(about, parameters, licence=None):
    """The card, as Markdown with the front matter that model hubs read.

    Args:
        about: what the weights say of themselves, see sharing.write.
        parameters: number of the network's parameters.
        licence: of the weights, or None.

    Returns:
        str.
    """
    backbone = BACKBONES.find(about["backbone"])
    modality = MODALITIES.find(about["modality"])
    protocol = PROTOCOLS.find(about["protocol"])
    front = {
        "library_name": "keras",
        "pipeline_tag": "video-classification",
        "tags": ["action-recognition", "temporal-segment-networks", modality.name],
        **({"license": licence} if licence else {}),
    }
    rows = [
        ("network", f"{backbone.title}, {parameters:,} parameters"),
        ("modality", f"{modality.name}, {_count(modality.length)} a snippet"),
        ("input", f"{modality.channels} channels, made of pixels as preprocessor.json"),
        ("protocol", f"`{protocol.name}`, crops of {protocol.crop_size} pixels"),
        ("classes", about["classes"] or "none: features"),
        ("consensus", (about.get("consensus") or {}).get("kind")),
        ("trained on", _trained_on(about)),
        ("began with", about.get("initial")),
        ("iteration", about.get("iteration")),
        ("source", about.get("source")),
        ("its SHA-256", about.get("source_sha256")),
        ("licence", licence or "not stated"),
    ]
    parts = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in front.items()),
        "---",
        "",
        f"# {backbone.title} for {modality.name}, Temporal Segment Networks",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {_cell(value)} |" for key, value in rows if value),
        "",
        *_figures(about),
        "## Use",
        "",
        "```python",
        "import tsn_keras as tsn",
        "",
        'recognizer = tsn.Recognizer.from_preset("THIS_FOLDER")  # or hf://USER/NAME',
        'print(recognizer.predict("clip.avi"))',
        'model = tsn.load("THIS_FOLDER")                         # keras.Model',
        "```",
        "",
        "## Citation",
        "",
        "```bibtex",
        _CITATION,
        "```",
    ]
    return "\n".join(parts) + "\n"


def _count(steps):
    return f"{steps} step{'s' * (steps > 1)}"


def _trained_on(about):
    if not about.get("dataset"):
        return None
    split = about.get("split")
    return f"{about['dataset']}{f', split {split}' if split else ''}"


def _cell(value):
    """A text that stays one cell of a table."""
    return " ".join(str(value).split()).replace("|", "\\|")


def _figures(about):
    """Yields the lines about accuracy."""
    published, validation = about.get("published"), about.get("validation")
    if isinstance(published, dict):
        told = ", ".join(f"{key} {_cell(value)}" for key, value in published.items())
        yield f"Published: {told}."
        yield ""
    if isinstance(validation, dict):
        told = ", ".join(
            f"{title} {validation[key]:.4g}{unit}"
            for key, (title, unit) in _FIGURES.items()
            if isinstance(validation.get(key), (int, float))
        )
        yield f"Validation in training, one crop of each segment: {told}."
        yield ""
    if published is None and validation is None:
        yield "No accuracy is recorded with these weights."
        yield ""

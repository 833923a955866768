"""Stage corpus: make or fetch the study's texts, split and tokenize them once.

Reads the scale file's section `corpus`, and the files in data/<scale>/ or the hub data sets that it names.
Writes runs/<study>/corpus/: data/ (splits, tokenizer, encoding.json), data_statistics.json, record.json.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mono_s2s import files, paths, record
from mono_s2s.corpus import building
from mono_s2s.scale import load_scale, tracked
from stages import command


def main() -> None:
    """Run the stage."""
    chosen = command.arguments(__doc__)
    settings = load_scale(chosen.scale).study(chosen.study).corpus
    folder = paths.corpus(chosen.study)
    data, counts = folder / "data", folder / "data_statistics.json"
    raw = Path("data") / chosen.scale
    with record.recording(
        "corpus",
        folder / "record.json",
        params=tracked(chosen.scale, [f"{chosen.study}.corpus"]),
        inputs=[Path("runs") / chosen.study / "check.txt", raw, Path("requirements.lock")],
        outputs=[data, counts],
        identity={"study": chosen.study},
    ):
        # A test set that the scale file no longer has must not stay behind.
        shutil.rmtree(data, ignore_errors=True)
        files.write_json(counts, building.build(settings, chosen.study, chosen.scale, data, raw))


if __name__ == "__main__":
    command.run(main)

"""Stage standard: the model that both arms start from, shared by all seeds of a study.

Reads the corpus; trains a small model on its pretraining pairs, or takes a model from the hub as it is.
Writes runs/<study>/standard/{checkpoint/, results.json, record.json}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mono_s2s import compute, files, paths, record, resume, scale, training
from mono_s2s.corpus import reading
from mono_s2s.models import architectures, checkpoints
from stages import command

# Of the pretraining pairs: the last ones, never trained on, tell how well the rest was learned.
HELD_OUT = 0.02


def scratch(
    study: scale.Study, encoding: reading.Encoding, data: Path, device: torch.device, state: Path
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """A model trained on the corpus's pretraining pairs, and the history of its training."""
    pairs = reading.read_pretraining(data)
    held_out = max(1, round(HELD_OUT * len(pairs)))
    model = architectures.build(study.standard, encoding).to(device)
    outcome = training.train(
        model,
        pairs[:-held_out],
        pairs[-held_out:],
        settings=study.standard.optimization,
        compute=study.compute,
        encoding=encoding,
        seed=study.standard.model_seed,
        title="standard",
        state=state,
    )
    return model, {"initial": outcome.initial, "epochs": outcome.epochs, "best": outcome.best, "budget": outcome.budget}


def main() -> None:
    """Run the stage."""
    options = command.arguments(__doc__)
    study = scale.load_scale(options.scale).study(options.study)
    data, folder = paths.corpus(options.study) / "data", paths.standard(options.study)
    inputs = [data, Path("requirements.lock")]
    params = scale.tracked(options.scale, [f"{options.study}.compute", f"{options.study}.standard"])
    with record.recording(
        "standard",
        folder / "record.json",
        params=params,
        inputs=inputs,
        outputs=[folder / "checkpoint", folder / "results.json"],
        identity={"study": options.study},
    ):
        device = compute.prepare(study.compute)
        encoding = reading.read_encoding(data)
        state = paths.scratch(options.study, "all", "standard", training.state_key(params, inputs))
        history = None
        if study.standard.kind == "scratch":
            model, history = scratch(study, encoding, data, device, state)
        else:
            model = architectures.load_pretrained(study.standard)
        architectures.fit(model, encoding)
        checkpoints.save(model, data, folder / "checkpoint")
        results = {
            "schema_version": 1,
            "stage": "standard",
            "study": options.study,
            "scale": options.scale,
            "data_digest": encoding.data_digest,
            "checkpoint": checkpoints.digest(folder / "checkpoint"),
            "model": architectures.facts(model),
            # Of training from scratch; null for a model from the hub.
            "training": history,
        }
        files.write_json(folder / "results.json", results)
    resume.forget(state)


if __name__ == "__main__":
    command.run(main)

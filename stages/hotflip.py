"""Attack all three models of a run with HotFlip, beside a random control and a random search.

Reads runs/<study>/corpus/data (attack_evaluation) and the checkpoints of standard, baseline and monotonic; writes
results.json (losses and scores before and after, strength curve, effort), examples.csv (what they are made of) and
record.json under runs/<study>/seed_<N>/hotflip.
"""

from __future__ import annotations

from pathlib import Path

from mono_s2s import compute, files, paths, record, scale, seeds
from mono_s2s.attacks import comparing_hotflip, report
from mono_s2s.corpus import reading
from mono_s2s.models import checkpoints
from stages import command


def main() -> None:
    """Run the stage."""
    options = command.arguments(__doc__, seed=True)
    study = scale.load_scale(options.scale).study(options.study)
    data = paths.corpus(options.study) / "data"
    models = paths.checkpoints(options.study, options.seed)
    folder = paths.seed(options.study, options.seed) / "hotflip"
    outputs = [folder / name for name in ("results.json", "examples.csv")]
    tracked = [f"{options.study}.{key}" for key in ("compute", "evaluate.decoding", "hotflip")]
    with record.recording(
        "hotflip",
        folder / "record.json",
        params=scale.tracked(options.scale, tracked),
        inputs=[data, *models.values(), Path("requirements.lock")],
        outputs=outputs,
        identity={"study": options.study, "seed": options.seed},
    ):
        device = compute.prepare(study.compute)
        encoding = reading.read_encoding(data)
        examples = reading.read_split(data, "attack_evaluation")
        attack_seed = seeds.attack_seed(options.seed)
        loaded = {name: checkpoints.load(checkpoint, device) for name, checkpoint in models.items()}
        found, rows = comparing_hotflip.under_hotflip(
            loaded, examples, study.hotflip, study.evaluate.decoding, encoding, study.compute, attack_seed
        )
        files.write_csv(outputs[1], report.columns("hotflip", scale.TASKS[options.study]), rows)
        files.write_json(
            outputs[0],
            {
                "schema_version": 1,
                "stage": "hotflip",
                "study": options.study,
                "scale": options.scale,
                "seed": options.seed,
                "attack_seed": attack_seed,
                "data_digest": encoding.data_digest,
                "checkpoints": {name: checkpoints.digest(checkpoint) for name, checkpoint in models.items()},
                **found,
            },
        )


if __name__ == "__main__":
    command.run(main)

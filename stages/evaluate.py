"""Evaluate all three models of a run on every test set.

What is measured is the study's: summaries (ROUGE, losses, lengths) or text (perplexity, multiple-choice questions).
Reads runs/<study>/corpus/data and the checkpoints of standard, baseline and monotonic; writes results.json (scores with
intervals, losses, reference points), examples.csv and reference_points.csv (what they are made of) and
record.json under runs/<study>/seed_<N>/evaluate.
"""

from __future__ import annotations

from pathlib import Path

from mono_s2s import compute, files, paths, record, scale
from mono_s2s.corpus import reading
from mono_s2s.evaluation import outcome, perplexity, quality
from mono_s2s.models import checkpoints
from stages import command

KINDS = {"summarization": quality, "language modelling": perplexity}


def main() -> None:
    """Run the stage."""
    options = command.arguments(__doc__, seed=True)
    study = scale.load_scale(options.scale).study(options.study)
    kind = KINDS[scale.TASKS[options.study]]
    data = paths.corpus(options.study) / "data"
    models = paths.checkpoints(options.study, options.seed)
    folder = paths.seed(options.study, options.seed) / "evaluate"
    outputs = [folder / name for name in ("results.json", "examples.csv", "reference_points.csv")]
    with record.recording(
        "evaluate",
        folder / "record.json",
        params=scale.tracked(options.scale, [f"{options.study}.compute", f"{options.study}.evaluate"]),
        inputs=[data, *models.values(), Path("requirements.lock")],
        outputs=outputs,
        identity={"study": options.study, "seed": options.seed},
    ):
        device = compute.prepare(study.compute)
        encoding = reading.read_encoding(data)
        settings = study.evaluate
        loaded = {name: checkpoints.load(checkpoint, device) for name, checkpoint in models.items()}
        known = kind.background(lambda: reading.read_split(data, "train"), encoding)
        datasets, example_rows, point_rows = {}, [], []
        for dataset in reading.test_sets(data):
            examples = outcome.limited(reading.read_split(data, f"test_{dataset}"), settings.limit)
            inputs = [encoding.pack(example.document_ids) for example in examples]
            outcomes = {
                name: outcome.measure(model, inputs, examples, settings.decoding, encoding, study.compute)
                for name, model in loaded.items()
            }
            points = kind.reference_points(examples, known)
            datasets[dataset] = kind.summary(outcomes, points, examples, settings.resamples, options.seed, dataset)
            example_rows += kind.example_rows(outcomes, examples, dataset)
            point_rows += kind.point_rows(points, examples, dataset)
        files.write_csv(outputs[1], kind.EXAMPLE_COLUMNS, example_rows)
        files.write_csv(outputs[2], kind.POINT_COLUMNS, point_rows)
        files.write_json(
            outputs[0],
            {
                "schema_version": 1,
                "stage": "evaluate",
                "study": options.study,
                "scale": options.scale,
                "seed": options.seed,
                "data_digest": encoding.data_digest,
                "checkpoints": {name: checkpoints.digest(checkpoint) for name, checkpoint in models.items()},
                **kind.facts(settings),
                **kind.multiple_choice(loaded, data, settings),
                "datasets": datasets,
            },
        )


if __name__ == "__main__":
    command.run(main)

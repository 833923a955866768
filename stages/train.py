"""Stage train: fine-tune one arm of one seed, the baseline or the monotonic model, from the standard checkpoint.

Reads the corpus and runs/<study>/standard/checkpoint/; both arms see the same batches in the same order.
Writes runs/<study>/seed_<N>/<arm>/{checkpoint/, results.json, curves.csv, live/, record.json}.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dvclive import Live

from mono_s2s import compute, files, paths, record, resume, scale, training
from mono_s2s.corpus import reading
from mono_s2s.models import architectures, checkpoints, monotone
from stages import command


def pairs(data: Path, split: str, encoding: reading.Encoding) -> list[reading.Pair]:
    """A split as training pairs: packed document and first reference; of a block, its start and the block."""
    examples = reading.read_split(data, split)
    return [reading.Pair(tuple(encoding.pack(e.document_ids)), e.reference_ids[0]) for e in examples]


def main() -> None:
    """Run the stage."""
    options = command.arguments(__doc__, seed=True, arm=True)
    study = scale.load_scale(options.scale).study(options.study)
    settings, constraint = study.train.optimization, study.train.constraint
    data, start = paths.corpus(options.study) / "data", paths.standard(options.study) / "checkpoint"
    folder = paths.seed(options.study, options.seed) / options.arm
    inputs = [data, start, Path("requirements.lock")]
    params = scale.tracked(options.scale, [f"{options.study}.compute", f"{options.study}.train"])
    with record.recording(
        "train",
        folder / "record.json",
        params=params,
        inputs=inputs,
        outputs=[folder / name for name in ("checkpoint", "results.json", "curves.csv", "live")],
        identity={"study": options.study, "seed": options.seed, "arm": options.arm},
    ):
        device = compute.prepare(study.compute)
        encoding = reading.read_encoding(data)
        state = paths.scratch(options.study, options.seed, options.arm, training.state_key(params, inputs))
        model = checkpoints.trainable(start, device, settings.dropout)
        architectures.fit(model, encoding)
        if options.arm == "monotonic":
            monotone.constrain(model, constraint)
            monotone.verify(model, constraint)
        shutil.rmtree(folder / "live", ignore_errors=True)
        with Live(dir=str(folder / "live"), dvcyaml=None, save_dvc_exp=False, monitor_system=False) as live:

            def follow(row: training.Row) -> None:
                live.step = row["step"]
                live.log_metric(f"{row['split']}/nll_per_token", row["nll_per_token"])
                live.make_summary()

            outcome = training.train(
                model,
                pairs(data, "train", encoding),
                pairs(data, "validation", encoding),
                settings=settings,
                compute=study.compute,
                encoding=encoding,
                seed=options.seed,
                title=f"{options.arm}, seed {options.seed}",
                state=state,
                follow=follow,
            )
        facts = None
        if options.arm == "monotonic":
            monotone.fold(model)
            monotone.verify(model, constraint)
            facts = monotone.facts(model, constraint)
        checkpoints.save(model, data, folder / "checkpoint")
        files.write_csv(folder / "curves.csv", training.CURVE_COLUMNS, outcome.curve)
        results = {
            "schema_version": 1,
            "stage": "train",
            "study": options.study,
            "scale": options.scale,
            "seed": options.seed,
            "data_digest": encoding.data_digest,
            "arm": options.arm,
            "initial_checkpoint": checkpoints.digest(start),
            "checkpoint": checkpoints.digest(folder / "checkpoint"),
            "model": architectures.facts(model),
            "constraint": facts,
            "budget": outcome.budget,
            "initial": outcome.initial,
            "epochs": outcome.epochs,
            "best": outcome.best,
        }
        files.write_json(folder / "results.json", results)
    resume.forget(state)


if __name__ == "__main__":
    command.run(main)

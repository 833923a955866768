"""Contents of the result files that the stages of both studies leave, made up, without training anything."""

import hashlib

import numpy as np

from mono_s2s import seeds
from mono_s2s.evaluation import intervals
from mono_s2s.evidence import tasks

STUDY = "t5_experiments"
TEXT = "foundation_llm_experiments"
STUDIES = (STUDY, TEXT)
MODELS = ("standard", "baseline", "monotonic")
ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
N = 6


def sha(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


DATA = sha("data")


def of_study(name, study):
    """A name that differs between the studies; the first's is the bare one."""
    return name if study == STUDY else f"{study} {name}"


def checkpoint(seed, model, study=STUDY):
    return sha(of_study("standard", study)) if model == "standard" else sha(of_study(str((seed, model)), study))


def data_digest(study):
    return sha(of_study("data", study))


def identity(seed, study):
    return {"schema_version": 1, "study": study, "scale": "demo", "seed": seed, "data_digest": data_digest(study)}


def lengths(values):
    values = np.array(values)
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "median": float(np.median(values)),
        "minimum": int(values.min()),
        "maximum": int(values.max()),
        "total": int(values.sum()),
    }


def data_statistics(study):
    split = {
        "examples": N,
        "sources": {"news": N},
        "document_tokens": lengths([40, 50, 60]),
        "reference_tokens": lengths([8, 9, 10]),
        "truncated_documents": 0,
        "truncated_references": 0,
        "unknown_tokens": 0,
        "digest": sha("split"),
    }
    return {
        "schema_version": 1,
        "study": study,
        "scale": "demo",
        "source": "generated",
        "splits": dict.fromkeys(("train", "validation", "test_dialogue", "test_news"), split),
        "pretraining": None,
        "overlaps": {"train/validation": 0},
        "duplicates_dropped": {},
        "empty_dropped": {},
        "vocabulary": 1000,
        "attack_vocabulary": 900,
        "tokenizer_digest": sha("tokenizer"),
        "data_digest": data_digest(study),
    }


def model_facts(study):
    if study == STUDY:
        return {"name": "t5-scratch", "architecture": "encoder-decoder", "parameters": 275000}
    return {"name": "scratch (3 layers, width 64)", "architecture": "decoder-only", "parameters": 1414647808}


def constraint_facts(study):
    parameters, total = 131072 if study == STUDY else 805306368, model_facts(study)["parameters"]
    return {
        "mode": "nonneg",
        "scope": "mlp_both",
        "formula": "W = softplus(V)",
        "matrices": 8,
        "parameters": parameters,
        "share": parameters / total,
        "minimum_weight": 1e-05,
        "activation": "relu" if study == STUDY else "gelu",
        "activation_monotone": study == STUDY,
    }


def training(seed, arm, study):
    random = np.random.default_rng([seed, len(arm), STUDIES.index(study)] if study != STUDY else [seed, len(arm)])
    start = 3.2 if arm == "monotonic" else 2.9
    losses = [float(start), *(float(start - step + random.normal(0, 0.02)) for step in (0.5, 0.6))]
    epochs = [
        {
            "epoch": place,
            "step": place * 10,
            "train_nll_per_token": None if place == 0 else loss + 0.1,
            "validation_nll_per_token": loss,
            "validation_tokens": 500,
        }
        for place, loss in enumerate(losses)
    ]
    budget = {
        "epochs": 2,
        "steps": 20,
        "batch_size": 32,
        "accumulation": 1,
        "examples": 640,
        "input_tokens": 40000,
        "target_tokens": 9000,
        "learning_rate": 0.003,
        "schedule": "linear warm-up, then linear decay to 0",
        "warmup_ratio": 0.1,
        "weight_decay": 0.01,
        "max_gradient_norm": 1.0,
        "dropout": 0.0,
    }
    content = {
        **identity(seed, study),
        "stage": "train",
        "arm": arm,
        "initial_checkpoint": checkpoint(seed, "standard", study),
        "checkpoint": checkpoint(seed, arm, study),
        "model": model_facts(study),
        "constraint": constraint_facts(study) if arm == "monotonic" else None,
        "budget": budget,
        "initial": epochs[0],
        "epochs": epochs[1:],
        "best": min(epochs[1:], key=lambda epoch: epoch["validation_nll_per_token"]),
    }
    curve = [
        {"step": e["step"], "epoch": e["epoch"], "split": "validation", "nll_per_token": e["validation_nll_per_token"]}
        for e in epochs
    ]
    curve.insert(1, {"step": 5, "epoch": 1, "split": "train", "nll_per_token": 2.8})
    return content, curve


def scores(random, quality):
    drawn = np.clip(random.normal(quality, 0.05, size=4), 0, 1)
    return dict(zip(ROUGE, map(float, drawn), strict=True))


def means(rows):
    tokens = sum(row["target_tokens"] for row in rows)
    return {
        **{name: float(np.mean([row[name] for row in rows])) for name in ROUGE if name in rows[0]},
        "nll_per_token": sum(row["nll_nats"] for row in rows) / tokens,
        "target_tokens": tokens,
    }


# How the intervals came about, as the result files say it.
RESAMPLED = {"confidence": intervals.CONFIDENCE, "resamples": 50, "limit": None}


def around(rows, seed, dataset):
    """Each ROUGE measure's mean and interval."""
    scored = np.array([[row[name] for name in ROUGE] for row in rows])
    found = intervals.means(scored, RESAMPLED["resamples"], seeds.generator(seed, "intervals", dataset))
    return dict(zip(ROUGE, found, strict=True))


def generator(seed, model, *more):
    """The standard model is the same in every run; so are its clean outputs."""
    return np.random.default_rng([1 if model == "standard" else seed, MODELS.index(model), *more])


def evaluated(seed, study):
    return {
        **identity(seed, study),
        "stage": "evaluate",
        "checkpoints": {model: checkpoint(seed, model, study) for model in MODELS},
    }


def evaluation(seed):
    """evaluation_results.json and its rows where models summarize."""
    rows, points, datasets = [], [], {}
    for place, dataset in enumerate(("dialogue", "news")):
        parts, costless = {}, {}
        for model in MODELS:
            random = generator(seed, model, place)
            own = [
                {
                    "dataset": dataset,
                    "example_id": f"{dataset}-{index}",
                    "model": model,
                    **scores(random, 0.2 + 0.1 * MODELS.index(model)),
                    "nll_nats": float(20 + random.random()),
                    "target_tokens": 9 + index,
                    "prediction_tokens": 10,
                    "reference_tokens": 9,
                    "prediction": f'a summary, "quoted" {index}',
                }
                for index in range(N + place)
            ]
            found = means(own)
            parts[model] = {
                "rouge": around(own, seed, dataset),
                "nll_per_token": found["nll_per_token"],
                "target_tokens": found["target_tokens"],
                "prediction_lengths": lengths([row["prediction_tokens"] for row in own]),
                "reference_lengths": lengths([row["reference_tokens"] for row in own]),
                "length_ratio": 10 / 9,
                "brevity_penalty": 1.0,
            }
            rows += own
        for point in ("lead_1", "other_summary"):
            random = np.random.default_rng([place, len(point)])
            own = [
                {"dataset": dataset, "example_id": f"{dataset}-{index}", "point": point, **scores(random, 0.15)}
                for index in range(N + place)
            ]
            costless[point] = around(own, seed, dataset)
            points += own
        datasets[dataset] = {"n": N + place, "models": parts, "reference_points": costless}
    content = {
        **evaluated(seed, STUDY),
        "decoding": {"beams": 4},
        "rouge": {"stemmer": True, "interval": intervals.METHOD, **RESAMPLED},
        "datasets": datasets,
    }
    return content, rows, points


def perplexity(rows, seed, dataset):
    """Of blocks."""
    nats, tokens = (np.array([row[name] for row in rows]) for name in ("nll_nats", "target_tokens"))
    random = seeds.generator(seed, "intervals", dataset)
    return {"perplexity": intervals.perplexity(nats, tokens, RESAMPLED["resamples"], random)}


def evaluation_text(seed):
    """evaluation_results.json and its rows where models predict text, and choose."""
    rows, points, datasets = [], [], {}
    for place, dataset in enumerate(("dialogue", "news")):

        def blocks(loss, random, place=place, dataset=dataset, **who):
            return [
                {
                    "dataset": dataset,
                    "example_id": f"test-{number}",
                    **who,
                    "nll_nats": float((32 + number) * (loss + random.normal(0, 0.01))),
                    "target_tokens": 32 + number,
                }
                for number in range(N + place)
            ]

        own = {
            model: blocks(loss, generator(seed, model, 5, place), model=model)
            for model, loss in zip(MODELS, (3.4, 2.1, 2.2), strict=True)
        }
        unigram = blocks(5.1, np.random.default_rng(place), point="unigram")
        datasets[dataset] = {
            "n": N + place,
            "models": {model: {**means(found), **perplexity(found, seed, dataset)} for model, found in own.items()},
            "reference_points": {"unigram": perplexity(unigram, seed, dataset)},
        }
        rows += [row for found in own.values() for row in found]
        points += unigram
    outcomes = {model: "0110" if model == "standard" else "1110" for model in MODELS}
    chosen = {model: {"accuracy": found.count("1") / 4, "outcomes": found} for model, found in outcomes.items()}
    asked = {"n": 4, "questions": sha("winogrande"), "metric": "acc", "models": chosen}
    content = {
        **evaluated(seed, TEXT),
        "scoring": {"batch_size": 16, "interval": intervals.RATIO_METHOD, **RESAMPLED},
        "datasets": datasets,
        "multiple_choice": {"harness": "0.4.9", "tasks": {"winogrande": asked}},
    }
    return content, rows, points


def attacked_rows(seed, model, condition, extra, origin=0, study=STUDY):
    random = generator(seed, model, 7, len(condition), origin, *([1] if study != STUDY else []))
    measured = tasks.of(study).measures
    worse = {"clean": 0.0, "attack": 8.0, "random": 1.0, "random_search": 3.0, "transfer": 2.0}[condition]
    worse *= 0.8 if model == "monotonic" else 1.0
    return [
        {
            "example_id": f"attack-{index}",
            "model": model,
            "condition": condition,
            **extra,
            **(scores(random, 0.4 - worse / 50) if measured else {}),
            "nll_nats": float(20 + worse + random.random()),
            "target_tokens": 9 + index,
            **({"prediction": "a summary"} if measured else {}),
        }
        for index in range(N)
    ]


def damage(clean_rows, other_rows):
    clean, other = means(clean_rows), means(other_rows)
    delta = other["nll_per_token"] - clean["nll_per_token"]
    pairs = list(zip(clean_rows, other_rows, strict=True))
    rises = [b["nll_nats"] - a["nll_nats"] >= 0.1 * a["nll_nats"] > 0 for a, b in pairs]
    found = {
        "delta_nll_per_token": delta,
        "relative_nll": delta / clean["nll_per_token"],
        "success_relative_nll": [{"threshold": 0.1, "rate": sum(rises) / len(rises)}],
    }
    if "rougeL" not in clean:
        jumps = [(b["nll_nats"] - a["nll_nats"]) / a["target_tokens"] >= 0.6 for a, b in pairs]
        return found | {"success_absolute_nll": [{"threshold": 0.6, "rate": sum(jumps) / len(jumps)}]}
    drops = [a["rougeL"] - b["rougeL"] >= 0.1 for a, b in pairs]
    return found | {
        "delta_rougeL": clean["rougeL"] - other["rougeL"],
        "success_rougeL_drop": [{"threshold": 0.1, "rate": sum(drops) / len(drops)}],
    }


# A point of HotFlip's curve: key, condition.
STRENGTH = {
    "nll_per_token": "attack",
    "random_nll_per_token": "random",
    "random_search_nll_per_token": "random_search",
}


def attack(seed, name, study):
    conditions = ("clean", "attack", "random", "random_search")
    rows, models, rows_of = [], {}, {}
    for model in MODELS:
        found = rows_of[model] = {}
        for condition in conditions:
            own = {"flips": 0 if condition == "clean" else 5, "changes": "3:17>21"}
            if name == "uat":
                own = {"trigger_source": model if condition == "attack" else ""}
            made = attacked_rows(seed, model, condition, own, study=study)
            found[condition] = made
            rows += made
        models[model] = {
            "effort": {condition: {"forward": 100, "backward": 10} for condition in conditions[1:]},
            "conditions": {condition: means(made) for condition, made in found.items()},
            "damage": {condition: damage(found["clean"], found[condition]) for condition in conditions[1:]},
        }
        if name == "hotflip":
            losses = {key: means(made)["nll_per_token"] for key, made in found.items()}
            curve = [
                {"flips": flips, **{key: losses[of if flips else "clean"] for key, of in STRENGTH.items()}}
                for flips in (0, 5)
            ]
            flips = dict.fromkeys(conditions[1:], 5.0)
            more = {"curve": curve, "effective_flips": flips, "short_examples": 0, "first_order_correlation": 0.5}
        else:
            trigger = {"ids": [5, 6, 7], "text": "one two three", "search_nll_per_token": 2.0}
            more = {"triggers": {"attack": trigger, "random_search": trigger}, "trace": [1.0, 2.0]}
        models[model].update(more)
    content = {
        **identity(seed, study),
        "stage": name,
        "attack_seed": seed + 1,
        "checkpoints": {model: checkpoint(seed, model, study) for model in MODELS},
        "attack": {"name": name, "flips": 5}
        if name == "hotflip"
        else {"name": name, "trigger_tokens": 5, "iterations": 4},
        "n": N,
        "models": models,
    }
    if name == "uat":
        transfer = {}
        for place, source in enumerate(MODELS):
            for target in MODELS:
                clean, other = rows_of[target]["clean"], rows_of[target]["attack"]
                if source != target:
                    who = {"trigger_source": source}
                    made = attacked_rows(seed, target, "transfer", who, place + 1, study)
                    rows += made
                    other = made
                transfer.setdefault(source, {})[target] = damage(clean, other)
        content.update(n_optimization=N, transfer=transfer)
    return content, rows

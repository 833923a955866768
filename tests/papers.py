"""Papers to audit: written from the published runs, cell by cell, so that each number's place is known."""

import json
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODELS = {"Standard": "standard_t5", "Baseline": "baseline_t5", "Monotonic": "monotonic_t5"}


def published():
    """The folder with the published runs, beside the checkout or above it."""
    for folder in ROOT.parents:
        found = folder / "shared/data/published_results"
        if (found / "lambda_seed_42").is_dir():
            return found
    pytest.skip("the published results are not beside this checkout (shared/data/published_results)")
    return None


def load(folder, name):
    return json.loads((folder / name).read_text())


def printed(value, decimals, shift=0):
    exact = Decimal(repr(value)).scaleb(shift)
    return f"{exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN):f}"


def table(label, caption, head, rows, columns):
    lines = [
        r"\begin{table}[t]\centering",
        rf"\caption{{{caption}}}\label{{{label}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{l{'c' * columns}}}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
        *(row if row == r"\midrule" else row + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def rouge(run):
    evaluation = load(run, "evaluation_results.json")
    rows = []
    for title, name in (("CNN/DM", "cnn_dm"), ("XSUM", "xsum")):
        rows.append(rf"\multicolumn{{4}}{{l}}{{\textit{{{title}}}}}")
        for model, key in MODELS.items():
            cells = []
            for metric in ("rouge1", "rouge2", "rougeLsum"):
                entry = evaluation[name][key]["rouge_scores"][metric]
                mean, lower, upper = (printed(entry[part], 2, 2) for part in ("mean", "lower", "upper"))
                cells.append(f"{mean} [{lower}, {upper}]")
            rows.append(f"{model} T5 & " + " & ".join(cells))
        rows.append(r"\midrule")
    caption = "ROUGE scores with 95\\% confidence intervals on CNN/DM and XSUM."
    return table("tab:rouge", caption, "Model & ROUGE-1 & ROUGE-2 & ROUGE-L", rows[:-1], 3)


def hotflip(run, examples=100):
    results = load(run, "hotflip_results.json")["results"]
    rows = [
        f"{model} & ${printed(entry['avg_degradation'], 2, 2)} \\pm {printed(entry['std_degradation'], 2, 2)}$ & "
        f"{printed(entry['success_rate'], 1, 2)} & {printed(entry['avg_orig_loss'], 4)} & "
        f"\\textbf{{{printed(entry['avg_attack_loss'], 4)}}}"
        for model, entry in ((model, results[key]) for model, key in MODELS.items())
    ]
    caption = f"HotFlip attack with 5 flips ($n = {examples}$ samples)."
    head = r"Model & Degradation (\%) & Success rate (\%) & Original loss & Attack loss"
    return table("tab:hotflip", caption, head, rows, 4)


def uat(run):
    results = load(run, "uat_results.json")["results"]
    rows = []
    for model, key in MODELS.items():
        entry = results[key]
        delta = printed(entry["rouge_deltas"]["rougeLsum"], 4).replace("-", "$-$")
        clean, attack = (printed(entry[part]["rouge1"], 2, 2) for part in ("clean_rouge", "attack_rouge"))
        rows.append(f"{model} & {delta} & {printed(entry['nll_increase'], 2, 2)}\\% & {clean} & {attack}")
    head = r"Model & $\Delta$ROUGE-L & NLL increase & Clean ROUGE-1 & Attack ROUGE-1"
    return table("tab:uat", "Universal adversarial triggers (UAT).", head, rows, 4)


def training(run):
    rows = []
    for model in ("Baseline", "Monotonic"):
        history = load(run, f"{model.lower()}_training_history.json")
        rows.append(
            f"{model} & {printed(history['best_val_loss'], 4)} & {printed(history['train_losses'][-1], 4)} & "
            f"{history['num_epochs']} & {history['hyperparameters']['warmup_ratio']}"
        )
    head = "Model & Best val loss & Final train loss & Epochs & Warmup ratio"
    return table("tab:training", "Training history.", head, rows, 4)


def text(run):
    data = load(run, "data_statistics.json")
    number = f"{data['training']['total_samples']:,}".replace(",", "{,}")
    hotflip_results = load(run, "hotflip_results.json")["results"]
    rate = printed(hotflip_results["monotonic_t5"]["success_rate"], 0, 2)
    validation = f"{data['validation']['total_samples']:,}"
    return (
        rf"We train on {number} samples and validate on {validation} samples, as described in Section~3.2 "
        r"of \cite{x}. "
        rf"In 2024, HotFlip's success rate on the monotonic model was {rate}\% (see Table~\ref{{tab:hotflip}})."
    )


def paper(*parts):
    body = "\n\n".join(parts)
    return (
        "\\documentclass{article}\n\\usepackage{booktabs} % 99.9 of nothing\n\\begin{document}\n\\section{Results}\n"
        f"{body}\n\\end{{document}}\n"
    )

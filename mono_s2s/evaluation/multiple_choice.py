"""Accuracy on multiple-choice tasks such as LAMBADA, HellaSwag and Winogrande, by lm-evaluation-harness.

Source: Gao et al., "A framework for few-shot language model evaluation" (lm-evaluation-harness). The harness is an
optional extra, imported where a scale asks for it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mono_s2s import files
from mono_s2s.corpus import reading
from mono_s2s.files import BadInput
from mono_s2s.scale import MultipleChoice

# The share of examples whose right choice is the likeliest, whatever the choices' lengths. All tasks that we name have
# it, and a mean of zeros and ones can be tested in pairs.
METRIC = "acc"
# The harness's own; used where a task's file asks for examples in its prompts.
FEWSHOT_SEED = 1234


def accuracies(models: Mapping[str, torch.nn.Module], data: Path, wanted: MultipleChoice) -> dict[str, Any]:
    """The accuracy of every model on every task, and which examples it got right.

    Texts are encoded by the corpus's tokenizer, each choice is scored in fp32 behind its context, and neither few-shot
    examples nor a start token are added unless a task's own file says so: as the harness's published numbers are made.

    Args:
        models: by name, in evaluation mode, fp32.
        data: the corpus folder, which holds the tokenizer.
        wanted: tasks, own task folder, batch size, limit.

    Returns:
        The result file's entry `multiple_choice`: the harness's version; by task the number of examples, a digest of
        the questions (they come from neither the corpus nor a pinned revision), the metric, and by model the accuracy
        and a string of 0 and 1, one an example in the task's order.

    Raises:
        BadInput: the harness is not installed, knows no such task or cannot get its data, or the task has no accuracy.
    """
    harness, version = _installed()
    tasks = _tasks(wanted)
    tokenizer = _tokenizer(data)
    found: dict[str, Any] = {name: {"metric": METRIC, "models": {}} for name in tasks}
    for model_name, model in models.items():
        scorer = harness.models.huggingface.HFLM(pretrained=model, tokenizer=tokenizer, batch_size=wanted.batch_size)
        # Not `simple_evaluate`: it sets the seeds of the whole process and starts programs to describe the machine. No
        # resampling: the outcomes are what intervals are made from.
        results = harness.evaluate(
            scorer, {"tasks": tasks, "groups": {}, "group_map": {}}, limit=wanted.limit, bootstrap_iters=0
        )
        for name in tasks:
            outcomes = _outcomes(name, results["samples"][name])
            found[name]["n"] = len(outcomes)
            found[name]["questions"] = _questions(results["samples"][name])
            found[name]["models"][model_name] = {
                "accuracy": outcomes.count("1") / len(outcomes),
                "outcomes": outcomes,
            }
    return {"harness": version, "tasks": found}


def _installed() -> tuple[Any, str]:
    """The harness and its version."""
    try:
        import lm_eval
        import lm_eval.models.huggingface
    except ImportError as error:
        raise BadInput(
            f"evaluate.multiple_choice: needs lm-evaluation-harness ({error}): pip install 'mono-s2s[harness]'"
        ) from error
    from importlib.metadata import version

    return lm_eval, version("lm_eval")


def _tasks(wanted: MultipleChoice) -> dict[str, Any]:
    """The harness's task objects by name, their data read."""
    from lm_eval.tasks import TaskManager

    where = "evaluate.multiple_choice"
    if wanted.folder is not None and not Path(wanted.folder).is_dir():
        raise BadInput(f"{where}.folder: {wanted.folder} is no folder: paths are relative to the top folder")
    # Reading the thousands of tasks that the harness brings takes long; own ones may be all that is asked for.
    manager = TaskManager(include_path=wanted.folder, include_defaults=False)
    if not set(wanted.tasks) <= set(manager.all_subtasks):
        manager = TaskManager(include_path=wanted.folder)
    found = {}
    for name in wanted.tasks:
        if name not in manager.all_subtasks:
            raise BadInput(
                f"{where}.tasks: {name!r} is no single task of lm-evaluation-harness or of {where}.folder: "
                "`lm-eval ls tasks` lists those it brings"
            )
        try:
            found[name] = manager.load(name)["tasks"][name]
        except Exception as error:  # the harness and its data library raise many kinds
            reason = " ".join(str(error).split())[:200]
            raise BadInput(
                f"{where}.tasks: the data of {name} cannot be had ({type(error).__name__}: {reason}): "
                "check the network, or the task's file"
            ) from error
        # What `simple_evaluate` does by default.
        if found[name].get_config("num_fewshot") is None:
            found[name].set_config(key="num_fewshot", value=0)
        found[name].set_fewshot_seed(seed=FEWSHOT_SEED)
    return found


def _tokenizer(data: Path) -> Any:
    """The corpus's tokenizer as the harness wants it: with names for padding and end of text."""
    from transformers import PreTrainedTokenizerFast

    encoding = reading.read_encoding(data)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(data / "tokenizer" / "tokenizer.json"))
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(encoding.eos_id)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(encoding.pad_id)
    return tokenizer


def _questions(samples: list[dict[str, Any]]) -> str:
    """SHA-256 over what was asked: prompts and right answers, in the task's order."""
    ordered = sorted(samples, key=lambda sample: sample["doc_id"])
    return files.digest([[sample["prompt_hash"], sample["target_hash"]] for sample in ordered])


def _outcomes(task: str, samples: list[dict[str, Any]]) -> str:
    """One character an example, in the task's order."""
    ordered = sorted(samples, key=lambda sample: sample["doc_id"])
    values = [sample.get(METRIC) for sample in ordered]
    if not values or not all(value in (0, 1) for value in values):
        raise BadInput(
            f"evaluate.multiple_choice.tasks: {task} has no {METRIC} of 0 or 1 for every example: it is no "
            "multiple-choice task"
        )
    return "".join(str(int(value)) for value in values)

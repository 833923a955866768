"""Checkpoints: stock transformers reads them, equal weights are equal bytes, nothing stands in for a missing one."""

import json
import subprocess
import sys

import learnable
import pytest
import standin
import torch

from mono_s2s.files import BadInput
from mono_s2s.models import architectures, batches, checkpoints, monotone


@pytest.fixture
def saved(tmp_path, data):
    """A folded monotonic model, and where it was saved."""
    model = standin.model()
    monotone.constrain(model, learnable.NONNEG)
    monotone.fold(model)
    checkpoints.save(model, data, tmp_path / "checkpoint")
    return model, tmp_path / "checkpoint"


STOCK = """
import json, sys
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
model = AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1])
import torch
batch = {name: torch.tensor(rows) for name, rows in json.loads(sys.argv[2]).items()}
with torch.no_grad():
    logits = model(**batch).logits
print(json.dumps([logits.tolist(), model.generate(batch["input_ids"], num_beams=2, max_new_tokens=6).tolist()]))
print(AutoTokenizer.from_pretrained(sys.argv[1]).encode("sold the boat"))
"""


def test_stock_transformers_reads_it_and_computes_the_same(saved, encoding):
    model, folder = saved
    pairs = learnable.pairs(3)
    batch = batches.collate([p.input_ids for p in pairs], [p.target_ids for p in pairs], encoding, "cpu")
    rows = json.dumps({name: tensor.tolist() for name, tensor in batch.items()})
    done = subprocess.run([sys.executable, "-c", STOCK, folder, rows], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    logits, tokens = json.loads(done.stdout.splitlines()[0])
    ours = checkpoints.load(folder, "cpu")
    with torch.no_grad():
        assert torch.equal(ours(**batch).logits, model(**batch).logits)
        # Stock attention is a fused kernel: equal up to rounding.
        torch.testing.assert_close(ours(**batch).logits, torch.tensor(logits), rtol=1e-4, atol=1e-4)
    assert ours.generate(batch["input_ids"], num_beams=2, max_new_tokens=6).tolist() == tokens
    assert json.loads(done.stdout.splitlines()[1]) == [11, 14, 16]


STOCK_DECODERS = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
for folder in sys.argv[1:]:
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        logits = model(torch.tensor([[1, 7, 8, 9, 10]])).logits
    tokens = AutoTokenizer.from_pretrained(folder).encode("sold the boat")
    print(json.dumps([str(model.dtype), logits.tolist(), tokens]))
"""


def test_stock_transformers_reads_folded_decoders_from_hub_files(tmp_path, text_data):
    """From a hub's half precision through the constraint to a checkpoint, which anyone can read."""
    folders = {}
    for kind in ("gpt_neox", "llama"):
        learnable.serve(tmp_path / "hub" / kind, kind, text_data)
        model = checkpoints.read(tmp_path / "hub" / kind)
        monotone.constrain(model, learnable.CONSTRAINTS[kind])
        monotone.fold(model)
        folders[kind] = tmp_path / kind
        checkpoints.save(model, text_data, folders[kind])
        assert {path.suffix for path in folders[kind].iterdir()} == {".safetensors", ".json"}
    command = [sys.executable, "-c", STOCK_DECODERS, *folders.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for (kind, folder), line in zip(folders.items(), done.stdout.splitlines(), strict=True):
        dtype, logits, tokens = json.loads(line)
        ours = checkpoints.load(folder, "cpu")
        monotone.verify(ours, learnable.CONSTRAINTS[kind])
        found = ours(torch.tensor([[1, 7, 8, 9, 10]])).logits
        # Stock attention is a fused kernel: equal up to rounding.
        torch.testing.assert_close(found, torch.tensor(logits), rtol=1e-4, atol=1e-4)
        assert (dtype, tokens) == ("torch.float32", [11, 14, 16])


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
def test_a_decoder_to_be_trained_takes_the_declared_dropout_wherever_it_has_any(
    kind, tmp_path, text_data, text_encoding
):
    model = architectures.build(learnable.SCRATCHES[kind], text_encoding)
    checkpoints.save(model, text_data, tmp_path / "checkpoint")
    found = checkpoints.trainable(tmp_path / "checkpoint", "cpu", 0.3)
    assert learnable.digest(found) == learnable.digest(model)
    shares = {module.p for module in found.modules() if isinstance(module, torch.nn.Dropout)}
    layer = found.gpt_neox.layers[0].attention if kind == "gpt_neox" else found.model.layers[0].self_attn
    assert layer.attention_dropout == 0.3
    assert shares == ({0.3} if kind == "gpt_neox" else set())


def test_a_loaded_model_is_ready_to_be_attacked(saved):
    model = checkpoints.load(saved[1], "cpu")
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_model_to_be_trained_takes_the_declared_dropout(saved):
    model = checkpoints.trainable(saved[1], "cpu", 0.3)
    assert all(parameter.requires_grad for parameter in model.parameters())
    shares = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert shares == {0.3}
    assert model.encoder.block[0].layer[0].SelfAttention.dropout == 0.3


def test_equal_weights_are_equal_bytes_and_other_weights_others(saved, tmp_path, data):
    model, folder = saved
    checkpoints.save(checkpoints.load(folder, "cpu"), data, tmp_path / "again")
    assert checkpoints.digest(tmp_path / "again") == checkpoints.digest(folder)
    first, second = (
        {path.name: path.read_bytes() for path in place.iterdir()} for place in (folder, tmp_path / "again")
    )
    assert first == second
    with torch.no_grad():
        model.shared.weight[5, 5] += 1e-6
    checkpoints.save(model, data, tmp_path / "other")
    assert checkpoints.digest(tmp_path / "other") != checkpoints.digest(folder)


def test_other_words_in_the_configuration_are_no_other_weights(saved, tmp_path, data):
    """Two studies that agree in every weight have the same digest, whatever stands beside the weights."""
    model, folder = saved
    model.config.origin = "another name"
    checkpoints.save(model, data, tmp_path / "named")
    assert checkpoints.digest(tmp_path / "named") == checkpoints.digest(folder)


def test_there_is_no_pickle(saved):
    assert {path.suffix for path in saved[1].iterdir()} == {".safetensors", ".json"}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "generation_config.json"])
def test_an_incomplete_checkpoint_is_an_error(name, saved):
    _, folder = saved
    (folder / name).unlink()
    for function in (lambda: checkpoints.load(folder, "cpu"), lambda: checkpoints.digest(folder)):
        with pytest.raises(BadInput, match=rf"{name}: missing"):
            function()


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="missing, the checkpoint is not complete"):
        checkpoints.load(tmp_path / "nowhere", "cpu")


def test_missing_weights_are_an_error_and_not_random_numbers(saved):
    from safetensors.torch import load_file, save_file

    _, folder = saved
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.block.0.layer.1.DenseReluDense.wi.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"missing keys in the weights, encoder\.block\.0\.layer\.1") as caught:
        checkpoints.load(folder, "cpu")
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_an_error(saved):
    _, folder = saved
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match="cannot be loaded as a model") as caught:
        checkpoints.load(folder, "cpu")
    assert "\n" not in str(caught.value)


def test_a_constrained_model_is_not_written(tmp_path, data):
    model = standin.model()
    monotone.constrain(model, learnable.NONNEG)
    with pytest.raises(BadInput, match="fold the constraint first"):
        checkpoints.save(model, data, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_without_a_tokenizer_nothing_is_written(tmp_path):
    with pytest.raises(BadInput, match=r"tokenizer\.json: missing"):
        checkpoints.save(standin.model(), tmp_path, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()

"""Models from scratch and, through a hub on this machine, by name and revision."""

import shutil
import subprocess
import sys
from pathlib import Path

import hub_server
import learnable
import pytest
import safetensors.torch
import standin
import torch

from mono_s2s import files
from mono_s2s.files import BadInput
from mono_s2s.models import architectures, checkpoints

ROOT = Path(__file__).resolve().parents[2]


def test_a_model_from_scratch_is_what_the_settings_say(encoding):
    model = architectures.build(learnable.SCRATCH, encoding)
    config = model.config
    assert (config.d_model, config.d_kv, config.num_heads, config.d_ff) == (16, 4, 2, 32)
    assert (config.num_layers, config.num_decoder_layers, config.dense_act_fn) == (1, 1, "relu")
    assert config.vocab_size == encoding.vocabulary
    assert config.dropout_rate == learnable.SETTINGS.dropout
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    architectures.fit(model, encoding)
    facts = architectures.facts(model)
    assert facts["name"] == "scratch (1+1 layers, width 16)"
    assert facts["parameters"] == sum(parameter.numel() for parameter in model.parameters())


def test_a_decoder_from_scratch_is_what_the_settings_say(text_encoding):
    for kind, shares in (("gpt_neox", ("hidden_dropout", "attention_dropout")), ("llama", ("attention_dropout",))):
        model = architectures.build(learnable.SCRATCHES[kind], text_encoding)
        config = model.config
        assert (config.model_type, config.hidden_size, config.num_attention_heads) == (kind, 16, 2)
        assert (config.intermediate_size, config.num_hidden_layers) == (32, 1)
        assert config.vocab_size == text_encoding.vocabulary
        assert config.max_position_embeddings == 1 + standin.BLOCK
        assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 1, 0)
        assert all(getattr(config, key) == learnable.SETTINGS.dropout for key in shares)
        assert config.hidden_act == ("gelu" if kind == "gpt_neox" else "silu")
        assert model.get_input_embeddings().weight is not model.get_output_embeddings().weight
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        architectures.fit(model, text_encoding)
        assert architectures.facts(model) == {
            "name": "scratch (1 layers, width 16)",
            "architecture": "decoder-only",
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        }
    pythia = architectures.build(learnable.SCRATCHES["gpt_neox"], text_encoding).config
    assert pythia.use_parallel_residual
    assert pythia.rope_parameters["partial_rotary_factor"] == 0.25


def test_heads_must_divide_the_width(text_encoding):
    settings = learnable.SCRATCHES["llama"].model_copy(update={"heads": 3})
    with pytest.raises(BadInput, match="3 do not divide a width of 16"):
        architectures.build(settings, text_encoding)


@pytest.mark.parametrize("kind", ["t5", "gpt_neox"])
def test_a_model_of_the_other_architecture_is_refused(kind, encoding, text_encoding):
    own, other = (encoding, text_encoding) if kind == "t5" else (text_encoding, encoding)
    with pytest.raises(BadInput, match=f"but a corpus that is {other.architecture}"):
        architectures.build(learnable.SCRATCHES[kind], other)
    with pytest.raises(BadInput, match=f"but a corpus that is {other.architecture}"):
        architectures.fit(architectures.build(learnable.SCRATCHES[kind], own), other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 10}, "10 rows"),
        ({"bos_token_id": 7, "eos_token_id": [8, 9]}, r"begin or end with \[7, 8, 9\], the corpus's with 1"),
        ({"bos_token_id": None, "eos_token_id": 8}, r"begin or end with \[8\]"),
        ({"max_position_embeddings": 19}, "has 19 positions, a block 20 tokens"),
        ({"bos_token_id": 7, "eos_token_id": [8, 1]}, None),
        ({"bos_token_id": 1, "eos_token_id": 8}, None),
        ({"bos_token_id": None, "eos_token_id": None}, None),
        ({"max_position_embeddings": 20, "pad_token_id": None}, None),
    ],
)
def test_a_decoder_fits_where_its_ids_and_positions_do(changes, message, text_encoding):
    model = architectures.build(learnable.SCRATCHES["llama"], text_encoding)
    for key, value in changes.items():
        setattr(model.config, key, value)
    if message is None:
        architectures.fit(model, text_encoding)
        return
    with pytest.raises(BadInput, match=message) as caught:
        architectures.fit(model, text_encoding)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["t5", "gpt_neox", "llama"])
def test_the_model_seed_alone_decides_the_weights(kind, encoding, text_encoding):
    scratch, encoding = learnable.SCRATCHES[kind], encoding if kind == "t5" else text_encoding
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = learnable.digest(architectures.build(scratch, encoding))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert learnable.digest(architectures.build(scratch, encoding)) == one
    other = scratch.model_copy(update={"model_seed": 4})
    assert learnable.digest(architectures.build(other, encoding)) != one


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("vocab_size", 10, "10 rows"), ("eos_token_id", 7, "eos_token_id is 7"), ("pad_token_id", 3, "pad_token_id is 3")],
)
def test_a_model_that_speaks_other_ids_is_refused(key, value, message, encoding):
    model = architectures.build(learnable.SCRATCH, encoding)
    setattr(model.config, key, value)
    with pytest.raises(BadInput, match=message):
        architectures.fit(model, encoding)


FETCH = """
import sys
from mono_s2s import files
from mono_s2s.models import architectures
from mono_s2s.scale import PretrainedModel
import learnable
for asked in sys.argv[1:]:
    name, revision = asked.split("@")
    try:
        model = architectures.load_pretrained(PretrainedModel(kind="pretrained", name=name, revision=revision))
        print(learnable.digest(model), architectures.facts(model)["name"])
    except files.BadInput as error:
        print(f"error: {error}")
"""


def test_a_model_comes_from_the_hub_at_its_revision_and_from_safetensors_alone(tmp_path, data, encoding):
    """A model as it should be; the same at a revision that is not there; none; one whose weights are a pickle."""
    model = architectures.build(learnable.SCRATCH, encoding)
    checkpoints.save(model, data, tmp_path / "good")
    checkpoints.save(model, data, tmp_path / "pickled")
    (tmp_path / "pickled/model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pickled/pytorch_model.bin")
    with hub_server.serve(models={"me/good": tmp_path / "good", "me/pickled": tmp_path / "pickled"}) as server:
        environment = server.environment(tmp_path / "home") | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        asked = [f"me/good@{server.commit('me/good')}", f"me/good@{'0' * 40}", f"me/absent@{'0' * 40}"]
        asked.append(f"me/pickled@{server.commit('me/pickled')}")
        command = [sys.executable, "-c", FETCH, *asked]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    good, *errors = done.stdout.splitlines()
    assert good == f"{learnable.digest(model)} me/good (1+1 layers, width 16)"
    assert [line.split(" cannot")[0] for line in errors] == [
        "error: me/good:",
        "error: me/absent:",
        "error: me/pickled:",
    ]
    assert "safetensors" in errors[2]
    assert not list((tmp_path / "home").rglob("pytorch_model.bin"))


def test_decoders_come_from_the_hub_in_fp32_with_buffers_of_old_files_and_without_foreign_keys(tmp_path, text_data):
    written = {kind: learnable.serve(tmp_path / kind, kind, text_data) for kind in ("gpt_neox", "llama")}
    shutil.copytree(tmp_path / "gpt_neox", tmp_path / "foreign")
    tensors = safetensors.torch.load_file(tmp_path / "foreign/model.safetensors")
    tensors["gpt_neox.layers.0.attention.rotary.weight"] = torch.ones(2)
    safetensors.torch.save_file(tensors, tmp_path / "foreign/model.safetensors", metadata={"format": "pt"})
    shutil.copytree(tmp_path / "gpt_neox", tmp_path / "opt")
    config = files.read_json(tmp_path / "opt/config.json")
    files.write_json(tmp_path / "opt/config.json", config | {"model_type": "opt"})
    names = ("gpt_neox", "llama", "foreign", "opt")
    with hub_server.serve(models={f"me/{name}": tmp_path / name for name in names}) as server:
        environment = server.environment(tmp_path / "home") | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        command = [sys.executable, "-c", FETCH, *(f"me/{name}@{server.commit(f'me/{name}')}" for name in names)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *good, foreign, unknown = done.stdout.splitlines()
    # Half precision is exact in fp32.
    assert good == [
        f"{learnable.digest(model.float())} me/{kind} (1 layers, width 16)" for kind, model in written.items()
    ]
    assert foreign.startswith("error: me/foreign: unexpected keys in the weights, gpt_neox.layers.0.attention.rotary")
    assert unknown.startswith(
        "error: standard: models of type opt are not known here, but t5, gpt_neox, llama, mistral"
    )

"""Models from scratch and, through a hub on this machine, by name and revision."""

import subprocess
import sys
from pathlib import Path

import hub_server
import learnable
import pytest
import torch

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


def test_the_model_seed_alone_decides_the_weights(encoding):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = learnable.digest(architectures.build(learnable.SCRATCH, encoding))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert learnable.digest(architectures.build(learnable.SCRATCH, encoding)) == one
    other = learnable.SCRATCH.model_copy(update={"model_seed": 4})
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

"""Models from scratch and, through a hub on this machine, by name and revision."""

import subprocess
import sys
from pathlib import Path

import hub_server
import learnable
import pytest
import torch

from mono_s2s.files import BadInput
from mono_s2s.models import checkpoints, t5

ROOT = Path(__file__).resolve().parents[2]


def test_a_model_from_scratch_is_what_the_settings_say(encoding):
    model = t5.build(learnable.SCRATCH, encoding)
    config = model.config
    assert (config.d_model, config.d_kv, config.num_heads, config.d_ff) == (16, 4, 2, 32)
    assert (config.num_layers, config.num_decoder_layers, config.dense_act_fn) == (1, 1, "relu")
    assert config.vocab_size == encoding.vocabulary
    assert config.dropout_rate == learnable.SETTINGS.dropout
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    t5.fit(model, encoding)
    facts = t5.facts(model)
    assert facts["name"] == "scratch (1+1 layers, width 16)"
    assert facts["parameters"] == sum(parameter.numel() for parameter in model.parameters())


def test_the_model_seed_alone_decides_the_weights(encoding):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = learnable.digest(t5.build(learnable.SCRATCH, encoding))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert learnable.digest(t5.build(learnable.SCRATCH, encoding)) == one
    other = learnable.SCRATCH.model_copy(update={"model_seed": 4})
    assert learnable.digest(t5.build(other, encoding)) != one


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("vocab_size", 10, "10 rows"), ("eos_token_id", 7, "eos_token_id is 7"), ("pad_token_id", 3, "pad_token_id is 3")],
)
def test_a_model_that_speaks_other_ids_is_refused(key, value, message, encoding):
    model = t5.build(learnable.SCRATCH, encoding)
    setattr(model.config, key, value)
    with pytest.raises(BadInput, match=message):
        t5.fit(model, encoding)


FETCH = """
import sys
from mono_s2s import files
from mono_s2s.models import t5
from mono_s2s.scale import PretrainedModel
import learnable
try:
    model = t5.load_pretrained(PretrainedModel(kind="pretrained", name=sys.argv[1], revision=sys.argv[2]))
except files.BadInput as error:
    sys.exit(f"error: {error}")
print(learnable.digest(model), t5.facts(model)["name"])
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory, data, encoding):
    """A hub with a model as it should be, and one whose weights are a pickle."""
    folder = tmp_path_factory.mktemp("hub")
    model = t5.build(learnable.SCRATCH, encoding)
    checkpoints.save(model, data, folder / "good")
    checkpoints.save(model, data, folder / "pickled")
    (folder / "pickled/model.safetensors").rename(folder / "pickled/pytorch_model.bin")
    with hub_server.serve(models={"me/good": folder / "good", "me/pickled": folder / "pickled"}) as server:

        def fetch(name, revision):
            environment = server.environment(folder / "home")
            environment["PYTHONPATH"] = f"{ROOT}:{ROOT / 'tests'}"
            command = [sys.executable, "-c", FETCH, name, revision]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        yield server, fetch, learnable.digest(model)


def test_a_model_comes_from_the_hub_at_its_revision(hub):
    server, fetch, digest = hub
    done = fetch("me/good", server.commit("me/good"))
    assert done.stdout.strip() == f"{digest} me/good (1+1 layers, width 16)", done.stderr


@pytest.mark.parametrize(("name", "revision"), [("me/good", "0" * 40), ("me/absent", "main"), ("me/pickled", "main")])
def test_what_is_not_there_or_not_safe_is_one_line(name, revision, hub):
    _, fetch, _ = hub
    done = fetch(name, revision)
    assert done.returncode == 1
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert name in errors[0]
    assert "Traceback" not in done.stderr

"""States: two slots that take turns, and nothing torn is ever taken up."""

import pytest
import torch

from mono_s2s import files, resume


def state(step):
    return {"weight": torch.full((3,), float(step))}, {"step": step, "nats": 0.1 + 0.2}


@pytest.fixture
def folder(tmp_path):
    for step in (1, 2, 3):
        resume.save(tmp_path / "arm-key", step, *state(step))
    return tmp_path / "arm-key"


def slot(folder, step):
    return next(path for path in folder.glob("*.json") if files.read_json(path)["step"] == step)


def loaded(folder):
    found = resume.load(folder)
    if found is None:
        return None
    tensors, facts = found
    assert tensors["weight"].tolist() == [facts["step"]] * 3
    return facts["step"]


def test_the_newest_state_comes_back_bit_for_bit(folder):
    tensors, facts = resume.load(folder)
    assert facts == {"step": 3, "nats": 0.1 + 0.2}
    assert tensors["weight"].dtype == torch.float32
    assert loaded(folder) == 3


def test_two_slots_take_turns(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "a.json",
        "a.safetensors",
        "b.json",
        "b.safetensors",
    ]
    assert {files.read_json(path)["step"] for path in folder.glob("*.json")} == {2, 3}


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_torn_state_leaves_the_one_before_it(damage, suffix, folder):
    damage(slot(folder, 3).with_suffix(suffix))
    assert loaded(folder) == 2


def test_after_a_torn_state_the_good_one_is_not_the_next_to_go(folder):
    cut(slot(folder, 3).with_suffix(".safetensors"))
    assert loaded(folder) == 2
    good = slot(folder, 2)
    resume.save(folder, 4, *state(4))
    assert loaded(folder) == 4
    assert files.read_json(good)["step"] == 2


def test_an_edited_fact_makes_a_state_void(folder):
    path = slot(folder, 3)
    content = files.read_json(path)
    content["facts"]["nats"] = 0.3
    files.write_json(path, content)
    assert loaded(folder) == 2


def test_json_of_another_kind_is_no_state(folder):
    for path in folder.glob("*.json"):
        path.write_text("[1, 2]\n")
    assert loaded(folder) is None


def test_where_nothing_was_saved_there_is_no_state(tmp_path):
    assert loaded(tmp_path / "nothing") is None


def test_success_forgets_the_arm_and_no_other(folder):
    resume.save(folder.parent / "arm-olderkey", 1, *state(1))
    resume.save(folder.parent / "other-key", 1, *state(1))
    resume.forget(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["other-key"]

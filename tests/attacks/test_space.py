import numpy as np
import pytest
import standin
from hypothesis import given, settings
from hypothesis import strategies as st

from mono_s2s.attacks.space import space
from mono_s2s.files import BadInput

PREFIX = [4, 5]


# Positions are spelled out, with a prefix of two and an end; test_text.py does the same for contexts.
pytestmark = pytest.mark.parametrize("kind", [standin.KINDS[standin.STUDY]], ids=[standin.STUDY], indirect=True)


def test_allowed_ids_are_words_of_the_tokenizer(model, encoding):
    found = set(space(model, encoding).allowed.tolist())
    assert found == set(range(len(standin.SPECIAL), standin.UNUSED))
    assert model.get_input_embeddings().weight.shape[0] > max(found) + 1


def test_an_embedding_smaller_than_the_vocabulary_is_refused(encoding):
    with pytest.raises(BadInput, match="embedding has 20 rows"):
        space(standin.model(rows=20), encoding)


def test_attackable_positions_leave_out_prefix_end_and_specials(allowed, encoding):
    packed = encoding.pack([10, 2, 11, 3, 12])
    assert allowed.attackable(packed) == [2, 4, 6]


documents = st.lists(st.integers(4, standin.UNUSED - 1), min_size=1, max_size=60)
words = st.integers(4, standin.UNUSED - 1)


@settings(deadline=None)
@given(documents, st.lists(words, max_size=5))
def test_every_packed_input_holds_the_whole_trigger(allowed, encoding, document, trigger):
    packed = allowed.apply(document, trigger=trigger, reserve=5)
    clean = allowed.apply(document, reserve=5)
    assert packed[:2] == PREFIX
    assert packed[2 : 2 + len(trigger)] == trigger
    assert packed[2 + len(trigger) :] == clean[2:]
    assert packed[-1] == encoding.eos_id
    assert len(packed) <= encoding.max_input_tokens


@settings(deadline=None)
@given(documents, st.data())
def test_substitutions_change_what_they_say_and_nothing_else(allowed, encoding, document, data):
    clean = allowed.apply(document)
    places = data.draw(st.lists(st.sampled_from(allowed.attackable(clean)), unique=True, max_size=5))
    changes = {place: data.draw(words) for place in places}
    packed = allowed.apply(document, substitutions=changes)
    assert packed == [changes.get(place, token) for place, token in enumerate(clean)]
    assert packed[:2] == PREFIX
    assert packed[-1] == encoding.eos_id


@pytest.mark.parametrize("token", [0, 1, 2, 3, standin.UNUSED, standin.VOCABULARY, -1])
def test_forbidden_ids_are_never_written(allowed, token):
    with pytest.raises(BadInput, match=f"wrote token {token},"):
        allowed.apply([10, 11, 12], trigger=[9, token])
    with pytest.raises(BadInput, match=f"wrote token {token},"):
        allowed.apply([10, 11, 12], substitutions={2: token})


@pytest.mark.parametrize("place", [0, 1, 3, 5, 6, -1])
def test_prefix_specials_and_end_are_never_touched(allowed, place):
    """Packed: prefix 0-1, document 2-4 with a sentinel at 3, end at 5."""
    with pytest.raises(BadInput, match=f"changed position {place},"):
        allowed.apply([10, 3, 12], substitutions={place: 9})


@pytest.mark.parametrize("current", [0, 4, 20, standin.UNUSED - 1, standin.ROWS])
def test_another_id_is_any_allowed_id_but_the_current(allowed, current):
    random = np.random.default_rng(0)
    drawn = {allowed.another_id(current, random) for _ in range(2000)}
    assert drawn == set(allowed.allowed.tolist()) - {current}


def test_random_ids_are_allowed_and_come_all(allowed):
    assert set(allowed.random_ids(2000, np.random.default_rng(0))) == set(allowed.allowed.tolist())

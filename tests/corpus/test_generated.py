"""The generated corpus: every fact of a summary stands in its document, and nothing is said twice."""

from collections import Counter
from itertools import islice

import pytest

from mono_s2s.corpus import duplicates, generated, wording
from mono_s2s.corpus.texts import seeded, sentences


def some(domain: str, number: int = 400):
    return list(islice(generated.stories(5, "test", (domain,)), number))


def words(text: str) -> set[str]:
    return {word.strip(".,:?") for word in text.split()}


def test_inventories_are_as_large_as_said_and_single_words():
    assert [len(set(group)) for group in (wording.PEOPLE, wording.CITIES, wording.NUMBERS)] == [64, 48, 40]
    objects = [item for group in wording.WORK.values() for item in group]
    assert len(wording.WORK) == 8
    assert len(set(objects)) == 32
    assert not set(wording.PEOPLE) & set(wording.CITIES)
    for templates in (wording.NEWS_SUMMARY, wording.DIALOGUE_SUMMARY):
        assert sum(templates.values()) == pytest.approx(1)


@pytest.mark.parametrize("domain", generated.DOMAINS)
def test_a_document_states_every_fact_of_its_summary(domain):
    for story in some(domain):
        facts = dict(zip(story.record.split()[::2], story.record.split()[1::2], strict=True))
        assert set(facts) == {"who", "did", "what", "count", "where", "when"}
        assert set(facts.values()) <= words(story.document)
        assert set(facts.values()) <= words(story.references[0])


@pytest.mark.parametrize("domain", generated.DOMAINS)
def test_people_places_and_numbers_of_an_event_are_named_by_nothing_else(domain):
    for story in some(domain):
        facts = dict(zip(story.record.split()[::2], story.record.split()[1::2], strict=True))
        for key in ("where", "count"):
            assert Counter(word.strip(".,:?") for word in story.document.split())[facts[key]] == 1
        others = words(story.document) & set(wording.CITIES) - {facts["where"]}
        assert not others & words(story.references[0])


@pytest.mark.parametrize("domain", generated.DOMAINS)
def test_summaries_have_several_wordings_and_none_is_a_headline(domain):
    shapes = Counter()
    for story in some(domain):
        facts = story.record.split()[1::2]
        shapes[" ".join(word for word in story.references[0].split() if word.strip(".,") not in facts)] += 1
        assert story.headline != story.references[0]
        assert not set(wording.CITIES) & words(story.headline)
    most = max(shapes.values()) / sum(shapes.values())
    assert len({shape.lower() for shape in shapes}) >= 2
    assert most < 0.85


def test_news_has_distractors_and_sometimes_a_correction():
    stories = some("news")
    lengths = Counter(len(sentences(story.document)) for story in stories)
    # Three or four sentences on the event, two to four others.
    assert set(lengths) == {5, 6, 7, 8}
    corrected = sum("number" in story.document for story in stories) / len(stories)
    assert corrected == pytest.approx(wording.CORRECTED, abs=0.08)


def test_dialogues_have_five_to_seven_turns():
    turns = Counter(sum(word.endswith(":") for word in story.document.split()) for story in some("dialogue"))
    assert set(turns) == {5, 6, 7}


def test_streams_are_their_own(toy):
    first = [story.document for story in islice(generated.stories(3, "train"), 50)]
    assert first == [story.document for story in islice(generated.stories(3, "train"), 50)]
    other = {story.document for story in islice(generated.stories(3, "validation"), 50)}
    assert not other & set(first)
    assert not {story.document for story in islice(generated.stories(4, "train"), 50)} & set(first)
    assert seeded(1, "a").random() != seeded(1, "b").random()


def test_a_larger_split_keeps_the_smaller_ones_examples_and_ids(changed):
    small, large = changed(), changed(source__train=60, source__validation=30)
    splits = [duplicates.fill(generated.pools(settings.source))[0] for settings in (small, large)]
    assert splits[1]["train"][:48] == splits[0]["train"]
    assert splits[1]["test_news"] == splits[0]["test_news"]


def test_pretraining_follows_its_mix_and_keeps_headlines_to_news(toy):
    pool = generated.pretraining(toy.source, 500, {"headline": 0.25, "record": 0.65, "span": 0.10})
    stories = duplicates.fill([pool])[0]["pretraining"]
    shares = Counter(story.task for story in stories)
    assert {name: count / 500 for name, count in shares.items()} == pytest.approx(
        {"headline": 0.25, "record": 0.65, "span": 0.10}, abs=0.08
    )
    assert {story.source for story in stories if story.task == "headline"} == {"news"}
    assert {story.source for story in stories if story.task == "record"} == {"news", "dialogue"}

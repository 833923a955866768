"""Documents from the Hugging Face hub, at pinned revisions: all of what was asked for, or an error."""

from __future__ import annotations

from mono_s2s.corpus.texts import Pool
from mono_s2s.files import BadInput
from mono_s2s.scale import HubSource


def pools(source: HubSource) -> list[Pool]:
    """The study's splits, held-out ones first."""
    raise BadInput("corpus.source.kind: hub is not there yet")

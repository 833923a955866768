import math
import statistics

import pytest

from mono_s2s.evaluation import lengths
from mono_s2s.files import BadInput


def test_describe():
    values = [3, 9, 4, 4]
    found = lengths.describe(values)
    assert found == {
        "mean": 5.0,
        "median": 4.0,
        "minimum": 3,
        "maximum": 9,
        "total": 20,
        "sd": pytest.approx(statistics.stdev(values)),
    }


@pytest.mark.parametrize("values", [[], [7]])
def test_too_few_lengths_are_an_error(values):
    with pytest.raises(BadInput, match="no standard deviation"):
        lengths.describe(values)


def test_ratio_is_of_totals():
    assert lengths.ratio([2, 8], [5, 15]) == 0.5
    with pytest.raises(BadInput, match="no tokens"):
        lengths.ratio([2], [0])


@pytest.mark.parametrize(("ratio", "wanted"), [(2.0, 1.0), (1.0, 1.0), (0.5, math.exp(-1)), (0.0, 0.0)])
def test_brevity_penalty(ratio, wanted):
    assert lengths.brevity_penalty(ratio) == pytest.approx(wanted)

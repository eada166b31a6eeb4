"""The reader of Prometheus' text format takes what is right and nothing else."""

import pytest

from lab.exposition import read_exposition

HISTOGRAM = (
    "# HELP h_seconds Time\n# TYPE h_seconds histogram\n"
    'h_seconds_bucket{le="1"} 2\nh_seconds_bucket{le="+Inf"} 3\nh_seconds_sum 4.5\nh_seconds_count 3\n'
)


def test_what_is_right_is_read():
    text = '# HELP a_total x\n# TYPE a_total counter\na_total{t="q\\"b\\\\n\\n",u=""} 7\na_total 1\n'
    families = read_exposition(text + HISTOGRAM)
    assert families["a_total"].value(t='q"b\\n\n', u="") == 7
    assert families["a_total"].value() == 1
    assert families["h_seconds"].histogram() == ({1.0: 2, float("inf"): 3}, 4.5, 3)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a 1\n", "has no type"),
        ("# HELP a x\n# TYPE a gauge\na 1", "does not end"),
        ("# HELP a x\n# TYPE a gauge\n", "has no sample"),
        ("# HELP a x\n# TYPE b gauge\nb 1\n", "is no type of a"),
        ("# HELP a x\n# TYPE a gauge\na one\n", "is no sample"),
        ('# HELP a x\n# TYPE a gauge\na{t="\\x"} 1\n', "is no sample"),
        ('# HELP a x\n# TYPE a gauge\na{t="",t="1"} 1\n', "names a label twice"),
        ("# HELP a x\n# TYPE a gauge\na 1\na 2\n", "comes twice"),
        ("# HELP a x\n# TYPE a gauge\nab 1\n", "is no sample of the gauge a"),
        ("# HELP a x\n# TYPE a gauge\nb 1\n", "stands among the samples of a"),
        ("# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n", "a comes twice"),
        (HISTOGRAM.replace('"1"} 2', '"1"} 4'), "is not cumulative"),
        (HISTOGRAM.replace("_count 3", "_count 2"), "is not its count"),
        (HISTOGRAM.replace("_sum", "_max"), "is no sample of the histogram"),
    ],
)
def test_what_is_wrong_is_refused(text, why):
    with pytest.raises(AssertionError, match=why):
        read_exposition(text)

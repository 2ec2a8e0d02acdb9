"""What names say: plate, well, site, condition; hostile patterns and names cost little."""

import time

import pytest

from batch_ops.domain.name_pattern import NamePattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "name", "values"),
    [
        ("{plate}/{well}_s{site}", "fly/P_1/B07_s12.h5", {"plate": "P_1", "well": "B07", "site": "12"}),
        ("{plate}_{well}_S{site}", "fly/P_1_b7_s12.H5", {"plate": "P_1", "well": "b7", "site": "12"}),
        ("{well}_*", "fly/A1_.h5", {"well": "A1"}),
        ("*_{condition}", "fly/a_b_c.h5", {"condition": "b_c"}),
        ("{plate}{site}", "fly/abc123.h5", {"plate": "abc", "site": "123"}),
        ("{condition}/*", "fly/dmso/x.h5", {"condition": "dmso"}),
        ("{well}", "A01.h5", {"well": "A01"}),
        ("{well}", "fly/AB.h5", {}),
        ("{plate}/{well}", "A01.h5", {}),
        ("{site}", "fly/\N{SUPERSCRIPT TWO}.h5", {}),
        ("{plate}.{site}", "fly/a+1.h5", {}),
        ("{condition}", "fly/=1+1\n.h5", {"condition": "=1+1\n"}),
    ],
)
def test_what_a_name_says(pattern, name, values):
    """The end of its path without the suffix, as many folders as the pattern has; earlier fields are the shortest."""
    assert NamePattern(pattern).read(name) == values


@pytest.mark.parametrize(
    "text", ["", "abc", "{}", "{time}", "{well}{well}", "{well", "well}", "{{well}}", "{well}" + "a" * 200]
)
def test_what_is_no_pattern(text):
    """It says at least one known thing, each once."""
    with pytest.raises(PatternError):
        NamePattern(text)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 40 + "{plate}b", "a" * 1020),
        ("{plate}{condition}" + "*" * 80 + "b", "a" * 1020),
        ("{plate}((a+)+)+b", "a" * 1020),
    ],
)
def test_no_pattern_takes_long_for_any_name(pattern, name):
    """Its steps are at most the characters of the name times the parts of the pattern: half a second, not years."""
    begun = time.process_time()
    assert NamePattern(pattern).read(name) == {}
    assert time.process_time() - begun < 5

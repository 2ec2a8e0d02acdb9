"""Phrases that are certainly wrong English do not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A space also matches the end of a line and the underscores of names.
WRONG = (
    r"(is|are|be) let be",
    r"(for|to|by|of) who (dropped|uploaded|asked|asks|reads|wrote|runs|looks)",
    r"goes away",
    r"(tell|tells|told) of",
    r"(see|sees|seen) to (it|its|them|the|everything)",
    r"over well",
    r"learnt of",
    r"is no more",
    r"as it must be",
)
FOLDERS = ("batch_ops", "deploy", "local_cloud", "tests")
SUFFIXES = {".py", ".md", ".sh", ".bicep"}


@pytest.fixture(scope="module")
def texts():
    """The sources and documents of the repository, without this one."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    return {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for path in (*ROOT.glob("*.md"), *found)
        if "node_modules" not in path.parts and path != Path(__file__)
    }


@pytest.mark.parametrize("phrase", WRONG)
def test_no_phrase_is_wrong_english(phrase, texts):
    """In prose and in names alike."""
    pattern = re.compile(rf"\b{phrase}\b".replace(" ", r"[\s_]+"))
    assert [f"{name}: {match[0]}" for name, text in texts.items() for match in pattern.finditer(text)] == []

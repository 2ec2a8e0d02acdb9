"""Can a tool run this project at all? Asked of its text, by the profile's rules, before a machine is paid for. Pure.

It finds mistakes, not malice: a macro is code, and whoever may write into `projects` may have it run.
"""

import re

from batch_ops.task.plain_text import plain
from batch_ops.task.tool import ToolProfile

# Texts are kept: an address or a path in one may look like a comment. One without an end goes to that of its line,
# a comment without an end to that of the project: so no character is looked at more than once or twice.
_C_LIKE = re.compile(r'("(?:\\[^\n]|[^"\\\n])*"?|\'(?:\\[^\n]|[^\'\\\n])*\'?)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_HASHED = re.compile(r'("(?:\\[^\n]|[^"\\\n])*"?|\'(?:\\[^\n]|[^\'\\\n])*\'?)|#[^\n]*')
_PARTS_SHOWN = 20


def fault_of_project(profile: ToolProfile, name: str, content: bytes) -> str:
    """Return why the project of this name can't be run, as a sentence; "" if nothing speaks against it."""
    who, rules = f"The project '{plain(name)}'", profile.project
    if not content.strip():
        return f"{who} is empty; upload it again."
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return f"{who} is no text in UTF-8, and {profile.title} needs one; save it as UTF-8."
    if "\0" in text:
        return f"{who} is no text: it holds null characters; upload the {profile.suffix} that you have saved."
    text = _without_comments(text.replace("\r\n", "\n").replace("\r", "\n"), rules.comments)
    for rule in rules.refused:
        if found := re.search(rule.pattern, text, re.MULTILINE):
            line = text.count("\n", 0, found.start()) + 1
            return f"{who} {rule.because} (line {line}: {plain(found[0].strip(), 60)})."
    for rule in rules.demanded:
        if not re.search(rule.pattern, text, re.MULTILINE):
            return f"{who} {rule.because}."
    if rules.parts:
        parts = dict.fromkeys(re.findall(rules.parts, text, re.MULTILINE))
        if unknown := [part for part in parts if part not in rules.known]:
            shown = ", ".join(plain(part, 40) for part in unknown[:_PARTS_SHOWN])
            return f"{who} uses what the {profile.title} here does not have: {shown}."
    return ""


def _without_comments(text: str, kind: str) -> str:
    """Leave comments out, but for the ends of their lines."""
    pattern = {"//": _C_LIKE, "#": _HASHED}.get(kind)
    if pattern is None:
        return text
    return pattern.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)

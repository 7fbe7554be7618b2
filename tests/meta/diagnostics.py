"""The messages that the compiler can report, collected from its sources.

A message is the string literal (or format string) in a call of a function that reports: error(...),
error_at_operand(...), warning(...), note(...), mistake(...), Error{...}. Adjacent literals are joined.
"""
import re
from pathlib import Path

LITERAL = r'"(?:[^"\\\n]|\\.)*"'
TOKEN = re.compile(rf'//[^\n]*|{LITERAL}|[(){{}}]|\w+|\S', re.S)
REPORTS = re.compile(r'^(error\w*|warning|note|mistake|expected|fail|damaged|reject\w*|refuse\w*|Error)$')


def unescape(literal):
    return literal[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def calls(text):
    """The literals in each reporting call, adjacent ones joined."""
    tokens = [t for t in TOKEN.finditer(text) if not t[0].startswith("//")]
    for i, token in enumerate(tokens[:-1]):
        opener = tokens[i + 1][0]
        if not REPORTS.match(token[0]) or opener not in "({":
            continue
        depth, messages, previous = 0, [], ""
        for inner in tokens[i + 1 :]:
            if inner[0] in "({":
                depth += 1
            elif inner[0] in ")}":
                depth -= 1
                if depth == 0:
                    break
            elif inner[0].startswith('"'):
                if previous.startswith('"'):
                    messages[-1] += unescape(inner[0])
                else:
                    messages.append(unescape(inner[0]))
            previous = inner[0]
        yield text.count("\n", 0, token.start()) + 1, messages


def distinctive_part(message):
    """The longest piece without replacement fields, or how it begins."""
    pieces = re.split(r"\{[^{}]*\}", message.replace("{{", "\0").replace("}}", "\1"))
    piece = max((p.strip(" '\"%@:;,") for p in pieces), key=len)
    if len(piece) > 40:
        piece = piece[:40].rsplit(" ", 1)[0]
    return piece.replace("\0", "{").replace("\1", "}")


def all_messages(root):
    """(file, line, message, distinctive part), without internal errors and what is no sentence."""
    for folder in ("ir", "compiler"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".cpp", ".h"):
                continue
            for line, messages in calls(path.read_text()):
                for message in messages:
                    part = distinctive_part(message)
                    if "internal error" in message or len(part) < 8:
                        continue
                    yield str(path.relative_to(root)), line, message, part

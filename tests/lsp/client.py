"""A client of `cnnc --lsp` for tests: one text, requests by place in it.

Places are given as words of the text: ("%r1", 1) is the second %r1. Ranges come back as `line:column-line:column`, from 1 as
in error messages; columns are UTF-16 units.
"""
import json
import subprocess


class Client:
    def __init__(self, cnnc):
        self.process = subprocess.Popen([cnnc, "--lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0
        self.version = 0
        self.diagnostics = {}

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self):
        length = None
        while (line := self.process.stdout.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None:
            raise EOFError(f"the server ended with {self.process.wait()}")
        return json.loads(self.process.stdout.read(length))

    def notify(self, method, params=None):
        self.send({"method": method, "params": params or {}})

    def request(self, method, params=None):
        """The result, or the error as a dictionary with `code` and `message`."""
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params or {}})
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                return message["error"] if "error" in message else message["result"]
            self.keep(message)

    def keep(self, message):
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            self.diagnostics[params["uri"]] = params

    def initialize(self):
        result = self.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.notify("initialized")
        return result

    def open(self, text, uri="file:///model.ir"):
        self.version += 1
        item = {"uri": uri, "languageId": "cnnc", "version": self.version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, changes, uri="file:///model.ir"):
        """(start, end, text) each, with positions of the protocol; or a whole text."""
        self.version += 1
        events = [{"text": c} if isinstance(c, str) else {"range": {"start": c[0], "end": c[1]}, "text": c[2]} for c in changes]
        document = {"uri": uri, "version": self.version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": events})

    def wait_for_diagnostics(self, uri="file:///model.ir"):
        """Those of the text as it is now."""
        while self.diagnostics.get(uri, {}).get("version") != self.version:
            self.keep(self.receive())
        return self.diagnostics[uri]["diagnostics"]

    def ask(self, method, position, uri="file:///model.ir", **more):
        return self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, "position": position, **more})

    def end(self):
        """The exit code after shutdown and exit."""
        self.request("shutdown")
        self.notify("exit")
        return self.process.wait()


def units(text):
    return len(text.encode("utf-16-le")) // 2


def position(text, offset):
    line = text.count("\n", 0, offset)
    return {"line": line, "character": units(text[text.rfind("\n", 0, offset) + 1:offset])}


def offset_of(text, place):
    """Of the n-th occurrence of a piece of text: `"%x"` or `("%x", 1)`."""
    piece, number = place if isinstance(place, tuple) else (place, 0)
    offset = text.index(piece)
    for _ in range(number):
        offset = text.index(piece, offset + 1)
    return offset


def at(text, place, beyond=0):
    """The position of a piece of text, or so many characters behind its begin."""
    return position(text, offset_of(text, place) + beyond)


def show(range_):
    start, end = range_["start"], range_["end"]
    return f"{start['line'] + 1}:{start['character'] + 1}-{end['line'] + 1}:{end['character'] + 1}"


def apply(text, edits):
    """The text after edits of the protocol."""
    lines = text.split("\n")

    def offset(where):
        before = sum(len(line) + 1 for line in lines[:where["line"]])
        line = lines[where["line"]] if where["line"] < len(lines) else ""
        return before + len(line.encode("utf-16-le")[:2 * where["character"]].decode("utf-16-le"))

    for edit in sorted(edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]), reverse=True):
        text = text[:offset(edit["range"]["start"])] + edit["newText"] + text[offset(edit["range"]["end"]):]
    return text

"""Whole sessions with `cnnc --lsp`, every answer compared exactly: session.py CNNC."""
import re
import subprocess
import sys

from client import Client, apply, at, position, show

DOCUMENT = {"textDocument": {"uri": "file:///model.ir"}}

BROKEN = """// Höhe 😀
model @small(%x: f32[1, 3, 8, 8]) {
  %w = splat 0.5 : f32[4, 3, 3, 3]
  %c = conv2d %x, %w pad=[1, 1, 1, 1]
  %r = reluu %c
  %m = matmul %c, %x
  %"odd name" = add %c, %c
  return %"odd name"
}
"""
MENDED = BROKEN.replace("reluu", "relu").replace("  %m = matmul %c, %x\n", "")

failures = []


def expect(what, found, wanted):
    if found != wanted:
        failures.append(f"{what}\n  found  {found!r}\n  wanted {wanted!r}")


def diagnostics(client):
    return [(show(d["range"]), d["severity"], d["message"],
             [(show(r["location"]["range"]), r["message"]) for r in d.get("relatedInformation", [])])
            for d in client.wait_for_diagnostics()]


def places(client, method, text, place, beyond=1, **more):
    found = client.ask(method, at(text, place, beyond), **more)
    return [(show(p["range"]), *([p["kind"]] if "kind" in p else [])) for p in found]


def proposals(client, text, place, beyond=0):
    found = client.ask("completion", at(text, place, beyond))
    return [(item["label"], item.get("detail", ""), show(item["textEdit"]["range"])) for item in found["items"]]


def check_diagnostics(client):
    client.open(BROKEN)
    expect("diagnostics of a broken text", diagnostics(client), [
        ("5:8-5:13", 1, "there is no op 'reluu'; did you mean 'relu'?", []),
        ("6:19-6:21", 1, "the dimensions in front of the matrices f32[1, 4, 8, 8] and f32[1, 3, 8, 8] do not broadcast", [])])
    client.change([(at(BROKEN, "reluu", 4), at(BROKEN, "reluu", 5), "")])
    first = BROKEN.replace("reluu", "relu")
    expect("after an edit", [d[0] for d in diagnostics(client)], ["6:19-6:21"])
    # Two changes at once: the second counts in the text after the first, behind characters of two units.
    client.change([(at(first, "Höhe 😀", 5), at(first, "Höhe 😀", 6), "height"),
                   (at(first, "  %m"), at(first, '  %"odd'), "")])
    expect("after all edits", diagnostics(client), [])
    text = MENDED.replace("😀", "height")
    formatted = client.request("textDocument/formatting", {**DOCUMENT, "options": {}})
    expect("the server has the same text", apply(text, formatted), text)
    client.change([MENDED])
    expect("a whole text", diagnostics(client), [])
    client.change([MENDED.replace("%r =", "%c =")])
    expect("a note belongs to its error", diagnostics(client),
           [("5:3-5:5", 1, "%c is defined twice", [("4:3-4:5", "the first definition is here")])])
    client.change([MENDED])


def check_hover(client):
    hover = client.ask("hover", at(MENDED, "%c", 1))
    expect("hover of a value", (show(hover["range"]), hover["contents"]["value"]), ("4:3-4:5", """\
2-D convolution: input [n, ic, h, w], filter [oc, ic / groups, kh, kw], bias [oc]
```cnnc
%c = conv2d %x, %w pad=[1, 1, 1, 1] : f32[1, 4, 8, 8]
```
* parameters: 108
* multiplications: 6,912
* receptive field: 3 pixels, stride 1, from -1

```
size    floor((in + pads - dilation * (kernel - 1) - 1) / stride) + 1
height  floor((8 + 2 - 1 * (3 - 1) - 1) / 1) + 1 = 8
width   floor((8 + 2 - 1 * (3 - 1) - 1) / 1) + 1 = 8
```
"""))
    hover = client.ask("hover", at(MENDED, "relu", 2))
    expect("hover of an op", (show(hover["range"]), hover["contents"]["value"]), ("5:8-5:12", """\
**relu**(input): max(x, 0)

```cnnc
%r = relu %c : f32[1, 4, 8, 8]
```
* receptive field: 3 pixels, stride 1, from -1
"""))
    hover = client.ask("hover", at(MENDED, "conv2d", 2))["contents"]["value"]
    expect("the formula in the hover of an op", re.search(r"\n```\n(y\[n, oc, oh, ow\] = bias\[oc\] \+ sum .*)\n```\n", hover) is not None,
           True)
    hover = client.ask("hover", at(MENDED, "pad=", 1))
    expect("hover of an attribute", hover["contents"]["value"],
           "```cnnc\npad=[0, 0, 0, 0]\n```\na list of 4 integers, attribute of conv2d")
    expect("hover of an input", client.ask("hover", at(MENDED, "%x", 1))["contents"]["value"],
           "```cnnc\n%x: f32[1, 3, 8, 8]\n```\ninput of the model")
    expect("hover of a comment", client.ask("hover", at(MENDED, "Höhe")), None)


def check_places(client):
    expect("definition", places(client, "definition", MENDED, ("%c", 1)), [("4:3-4:5",)])
    expect("definition of a quoted name", places(client, "definition", MENDED, ('%"odd', 1)), [("6:3-6:14",)])
    expect("references", places(client, "references", MENDED, "%c", context={"includeDeclaration": False}),
           [("5:13-5:15",), ("6:21-6:23",), ("6:25-6:27",)])
    expect("references and definition", places(client, "references", MENDED, "%x", context={"includeDeclaration": True}),
           [("2:14-2:16",), ("4:15-4:17",)])
    expect("highlights", places(client, "documentHighlight", MENDED, "%w"), [("3:3-3:5", 3), ("4:19-4:21", 2)])
    expect("places of no value", places(client, "definition", MENDED, "relu"), [])


def check_rename(client):
    def rename(place, name):
        return client.ask("rename", at(MENDED, place, 1), newName=name)

    expect("what would be renamed", show(client.ask("prepareRename", at(MENDED, "%c", 1))), "4:3-4:5")
    expect("what cannot be", client.ask("prepareRename", at(MENDED, "relu", 1)), None)
    expect("rename", apply(MENDED, rename("%c", "conv.1")["changes"]["file:///model.ir"]), MENDED.replace("%c", "%conv.1"))
    expect("rename with a sign", apply(MENDED, rename("%x", "%image")["changes"]["file:///model.ir"]),
           MENDED.replace("%x", "%image"))
    expect("rename to quotes", apply(MENDED, rename('%"odd', '"a/b"')["changes"]["file:///model.ir"]),
           MENDED.replace('%"odd name"', '%"a/b"'))
    expect("a name that is taken", rename("%c", "r"),
           {"code": -32803, "message": "%r stands in this model already: choose another name"})
    expect("no name", rename("%c", "a/b"),
           {"code": -32803, "message": "'a/b' is no name: letters, digits, underscores and inner dots, or in quotes as in "
                                       '"block/conv:0"'})
    expect("no value", rename("relu", "a"),
           {"code": -32803, "message": "only values have other names: put the cursor on one, as in %x"})


def check_completion(client):
    ops = [line.split()[0] for line in subprocess.run([client.process.args[0], "--list-ops"], capture_output=True, text=True,
                                                      check=True).stdout.splitlines() if line[:1].strip()]
    expect("ops", [p[0] for p in proposals(client, MENDED, "relu")], ops)
    expect("what is typed is replaced", proposals(client, MENDED, "relu", 2)[ops.index("conv2d")],
           ("conv2d", "input, filter, bias?", "5:8-5:12"))
    expect("values", proposals(client, MENDED, "%c, %c", 1), [
        ("%r", "f32[1, 4, 8, 8]", "6:21-6:23"), ("%c", "f32[1, 4, 8, 8]", "6:21-6:23"),
        ("%w", "f32[4, 3, 3, 3]", "6:21-6:23"), ("%x", "f32[1, 3, 8, 8]", "6:21-6:23")])
    expect("attributes that are not given", [p[0] for p in proposals(client, MENDED, " pad=", 1)],
           ["%w", "%x", "stride=", "dilation=", "groups=", "winograd=", "padded_rows=", "zero_point="])
    expect("none in lists", proposals(client, MENDED, "1, 1, 1]", 1), [])
    expect("none in comments", proposals(client, MENDED, "Höhe", 1), [])
    text = MENDED.replace("pad=[1, 1, 1, 1]", "pad=[1, 1, 1, 1] st")
    client.change([text])
    expect("no operands behind attributes", [p[0] for p in proposals(client, text, "] st", 4)],
           ["stride=", "dilation=", "groups=", "winograd=", "padded_rows=", "zero_point="])
    text = MENDED.replace("pad=[1, 1, 1, 1]", "padded_rows=")
    client.change([text])
    expect("words", proposals(client, text, "padded_rows=", 12),
           [(word, "padded_rows", "4:34-4:34") for word in ("choose", "read", "skip")])
    text = MENDED.replace("splat 0.5", "random(7, )")
    client.change([text])
    expect("words by their place", proposals(client, text, "7, ", 3),
           [(word, "kind", "3:18-3:18") for word in ("he", "uniform")])
    expect("no words for a number", proposals(client, text, "(7, ", 1), [])
    text = MENDED.split("  %r")[0] + "  %y = relu %"  # as somebody types
    client.change([text])
    expect("at the end of a text", [p[0] for p in proposals(client, text, "relu %", 6)], ["%c", "%w", "%x"])
    client.change([MENDED])


def check_overviews(client):
    hints = client.request("textDocument/inlayHint",
                           {**DOCUMENT, "range": {"start": position(MENDED, 0), "end": position(MENDED, len(MENDED))}})
    expect("hints", [((h["position"]["line"] + 1, h["position"]["character"] + 1), h["label"]) for h in hints],
           [((4, 38), ": f32[1, 4, 8, 8]"), ((5, 15), ": f32[1, 4, 8, 8]"), ((6, 27), ": f32[1, 4, 8, 8]")])

    def names(symbols):
        return [(s["name"], s["kind"], s.get("detail", ""), show(s["range"]), show(s["selectionRange"]),
                 names(s.get("children", []))) for s in symbols]

    text = MENDED + "\nkernel @double(x: f32[4]) -> (y: f32[4]) {\n  for i in 0..4 {\n    y[i] = x[i] + x[i]\n  }\n}\n"
    client.change([text])
    expect("no diagnostics of loops", diagnostics(client), [])
    expect("symbols", names(client.request("textDocument/documentSymbol", DOCUMENT)), [
        ("@small", 2, "", "2:1-8:2", "2:7-2:13", [
            ("%x", 7, "f32[1, 3, 8, 8]", "2:14-2:16", "2:14-2:16", []),
            ("%w", 14, "f32[4, 3, 3, 3]", "3:3-3:35", "3:3-3:5", []),
            ("%c", 13, "f32[1, 4, 8, 8]", "4:3-4:38", "4:3-4:5", []),
            ("%r", 13, "f32[1, 4, 8, 8]", "5:3-5:15", "5:3-5:5", []),
            ('%"odd name"', 13, "f32[1, 4, 8, 8]", "6:3-6:27", "6:3-6:14", [])]),
        ("@double", 12, "", "10:1-14:2", "10:8-10:15", [])])
    wrong = text.replace("x[i] + x[i]", "x[i + 1] + x[i]")
    client.change([wrong])
    expect("the verifier of loops", [d[0] for d in diagnostics(client)], ["12:5-12:6"])
    client.change([text.replace("  %r = relu", "%r   =  relu").replace("    y[i] = x[i]", "y[i]=x[i]")])
    formatted = client.request("textDocument/formatting", {**DOCUMENT, "options": {}})
    expect("formatting", [(show(e["range"]), e["newText"]) for e in formatted], [
        ("4:38-5:1", "\n  "), ("5:1-5:16", "%r = relu %c"),
        ("10:1-14:2", text[text.index("kernel @double"):].rstrip())])
    client.change([BROKEN])
    expect("no formatting of a broken text", client.request("textDocument/formatting", {**DOCUMENT, "options": {}}), [])


def check_odd_messages(client):
    """None of them ends the server."""
    for method in ("$/setTrace", "$/cancelRequest", "workspace/didChangeConfiguration"):
        client.notify(method, {"id": 1, "value": "off", "settings": {}})
    for body in (b"Content-Length: 5\r\n\r\n{oops", b"Content-Length: 99999999999999999999\r\n\r\n", b"\r\n\r\n"):
        client.process.stdin.write(body)
    expect("no parameters", client.request("textDocument/hover", {})["code"], -32602)
    expect("no file", client.ask("hover", {"line": 0, "character": 0}, uri="untitled:Untitled-1")["code"], -32602)
    client.change([({"line": -5, "character": -5}, {"line": 10 ** 6, "character": 2 ** 30}, "model")])
    expect("all of the text is replaced", diagnostics(client),
           [("1:6-1:6", 1, "expected the model's name, as in @lenet, found the end of the text", [])])
    client.change([({"line": 0, "character": 9}, {"line": 0, "character": 0}, " @m")])  # ends before it begins
    expect("what ends before it begins is empty", [d[0] for d in diagnostics(client)], ["1:9-1:9"])


def check_protocol(cnnc):
    client = Client(cnnc)
    expect("before initialize", client.ask("hover", {"line": 0, "character": 0}),
           {"code": -32002, "message": "expected initialize before any other request"})
    expect("name", client.initialize()["serverInfo"]["name"], "cnnc")
    expect("a second initialize", client.initialize(), {"code": -32600, "message": "initialize comes once, and first"})
    expect("a text that is not open", client.ask("hover", {"line": 0, "character": 0}),
           {"code": -32602, "message": "'file:///model.ir' is not open: send textDocument/didOpen before"})
    expect("an unknown method", client.request("textDocument/moniker", DOCUMENT)["code"], -32601)
    client.open(BROKEN)
    client.wait_for_diagnostics()
    client.notify("textDocument/didClose", DOCUMENT)
    client.version = 0
    expect("a closed text", client.wait_for_diagnostics(), [])
    client.request("shutdown")
    expect("after shutdown", client.ask("hover", {"line": 0, "character": 0}),
           {"code": -32600, "message": "this server is shut down: only exit can follow"})
    client.notify("exit")
    expect("exit code", client.process.wait(), 0)
    hasty = Client(cnnc)
    hasty.initialize()
    hasty.notify("exit")
    expect("exit code without shutdown", hasty.process.wait(), 1)
    gone = Client(cnnc)
    gone.initialize()
    gone.process.stdin.close()
    expect("exit code at the end of the input", gone.process.wait(), 1)


def main():
    client = Client(sys.argv[1])
    client.initialize()
    for check in (check_diagnostics, check_hover, check_places, check_rename, check_completion, check_overviews, check_odd_messages):
        check(client)
    expect("exit code", client.end(), 0)
    check_protocol(sys.argv[1])
    sys.exit("\n".join(failures) or 0)


main()

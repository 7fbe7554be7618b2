// The extension for Visual Studio Code, without the editor: editors.mjs FOLDER.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import Module from "node:module";
import { join } from "node:path";

const folder = process.argv[2];
const read = (name) => JSON.parse(readFileSync(join(folder, name)));

// What package.json names is there and belongs together.
const extension = read("package.json");
const [language] = extension.contributes.languages;
const [grammar] = extension.contributes.grammars;
assert.deepEqual(language.extensions, [".ir"]);
assert.equal(grammar.language, language.id);
assert.ok(read(language.configuration).brackets.length === 3);
const { scopeName, patterns } = read(grammar.path);
assert.equal(scopeName, grammar.scopeName);

// The server is started by the command of the settings, for the language of package.json.
const started = [];
class LanguageClient {
  constructor(...args) { started.push(args); }
  start() { started.push("start"); }
  stop() { started.push("stop"); }
}
const settings = { get: (name) => extension.contributes.configuration.properties[`cnnc.${name}`].default };
const stubs = { vscode: { workspace: { getConfiguration: () => settings } }, "vscode-languageclient/node": { LanguageClient } };
const load = Module._load;
Module._load = (name, ...rest) => stubs[name] ?? load(name, ...rest);
const main = Module.createRequire(import.meta.url)(join(folder, extension.main));
main.activate();
main.deactivate();
assert.deepEqual(started, [
  ["cnnc", "cnnc", { command: "cnnc", args: ["--lsp"] }, { documentSelector: [{ scheme: "file", language: language.id }] }],
  "start",
  "stop",
]);

/// [text, scope] of what the grammar colours in a line, as editors do it: the first match, of several there the first pattern.
function coloured(line) {
  const found = [];
  for (let at = 0; at < line.length; ) {
    const matches = patterns.map(({ name, match }) => {
      const expression = new RegExp(match, "g");
      expression.lastIndex = at;
      return { name, match: expression.exec(line) };
    });
    const first = matches.filter(({ match }) => match).sort((a, b) => a.match.index - b.match.index)[0];
    if (!first) break;
    found.push([first.match[0], first.name.split(".").slice(0, 2).join(".")]);
    at = first.match.index + first.match[0].length;
  }
  return found;
}

assert.deepEqual(coloured('  %"a b" = max_pool2d_indices %x.y kernel=[2, -1] ceil_mode=true : f32[1] // for'), [
  ['%"a b"', "variable.other"],
  ["max_pool2d_indices", "support.function"],
  ["%x.y", "variable.other"],
  ["kernel", "variable.parameter"],
  ["2", "constant.numeric"],
  ["-1", "constant.numeric"],
  ["ceil_mode", "variable.parameter"],
  ["true", "constant.language"],
  ["f32", "storage.type"],
  ["1", "constant.numeric"],
  ["// for", "comment.line"],
]);
assert.deepEqual(coloured('model @m(%x: i64[2]) weights="a.safetensors" {'), [
  ["model", "keyword.control"],
  ["@m", "entity.name"],
  ["%x", "variable.other"],
  ["i64", "storage.type"],
  ["2", "constant.numeric"],
  ["weights", "variable.parameter"],
  ['"a.safetensors"', "string.quoted"],
]);

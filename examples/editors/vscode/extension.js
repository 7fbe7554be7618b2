// Starts `cnnc --lsp` for texts of cnnc. Everything else is the server's.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = vscode.workspace.getConfiguration("cnnc").get("path");
  client = new LanguageClient(
    "cnnc",
    "cnnc",
    { command, args: ["--lsp"] },
    { documentSelector: [{ scheme: "file", language: "cnnc" }] },
  );
  return client.start();
};

exports.deactivate = () => client?.stop();

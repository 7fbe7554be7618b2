// The language server: `cnnc --lsp` for editors.
#pragma once

namespace cnnc::lsp {

/// Speaks the Language Server Protocol (version 3.17) over standard input and output until the
/// editor leaves. True when it left as the protocol says: shutdown, then exit.
bool serve();

} // namespace cnnc::lsp

// The sections of the page's data, one file each: a view of the page (page/NAME.js) reads the section
// of its name.
#pragma once

#include "compiler/report/compilation.h"

#include <nlohmann/json.hpp>

namespace cnnc::report {

using Json = nlohmann::ordered_json;

/// Name, size and target of the model, for the heading of the page.
Json model_section(const Compilation &compilation);
/// Kernels and what flows between them, laid out.
Json graph_section(const Compilation &compilation);

/// Bytes, deflated and in base64: what dom.js inflates when it is shown.
Json blob(std::string_view bytes);
/// JSON as a blob.
Json packed(const Json &json);
/// Names of files and models may be anything; JSON is UTF-8.
std::string spelt(const Json &json);

} // namespace cnnc::report

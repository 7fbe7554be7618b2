// The sections of the page's data, one file each: a view of the page (page/NAME.js) reads the
// section of its name.
#pragma once

#include "compiler/report/compilation.h"

#include <nlohmann/json.hpp>

namespace cnnc::report {

using Json = nlohmann::ordered_json;

/// Name, size and target of the model, for the heading of the page.
Json model_section(const Compilation &compilation);
/// What every kernel computes, how and how long, and what the machine can do: for all views.
Json facts_section(const Compilation &compilation);
/// Kernels and what flows between them, laid out.
Json graph_section(const Compilation &compilation);
/// What every pass has changed, in numbers and as a diff.
Json passes_section(const Compilation &compilation);
/// The texts of every kernel, from the graph to assembly, a blob for each.
Json kernels_section(const Compilation &compilation);
/// What lies where in the workspace and for how long; constants.
Json memory_section(const Compilation &compilation);
/// The numbers of convolutions and pools (convolution.cpp); null when there are none.
Json convolution_section(const Compilation &compilation);
/// Pictures of values (maps.cpp); null when there are none.
Json maps_section(const Compilation &compilation);

/// Bytes, deflated and in base64: what dom.js inflates when it is shown.
Json blob(std::string_view bytes);
/// JSON as a blob.
Json packed(const Json &json);
/// Names of files and models may be anything; JSON is UTF-8.
std::string spelt(const Json &json);

} // namespace cnnc::report

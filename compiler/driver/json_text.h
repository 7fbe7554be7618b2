// JSON as it is written: names of files and models may be anything, JSON is UTF-8.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cnnc::driver {

inline std::string json_text(const nlohmann::ordered_json &json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

} // namespace cnnc::driver

// The models of the tests and examples that can be ONNX files.
#pragma once

#include "test_files.h"
#include "test_models.h"

#include <algorithm>

namespace cnnc {

/// The models of a file: its parts but the bad ones, when it is a test in parts.
inline std::vector<std::string> models_of(const fs::path &file) {
  std::ifstream stream(file);
  std::vector<std::string> parts(1);
  bool wanted = true, whole = true;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("//--- ")) {
      wanted = line.starts_with("//--- shapes") || line.starts_with("//--- numbers");
      if (std::exchange(whole, false))
        parts.clear();
      if (wanted)
        parts.emplace_back();
    } else if (wanted && !parts.empty()) {
      parts.back() += line + "\n";
    }
  }
  return parts;
}

inline std::vector<fs::path> model_files(const std::string &folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry &entry :
       fs::directory_iterator(fs::path(CNNC_SOURCE_DIR) / folder))
    if (entry.path().extension() == ".ir")
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// What ONNX has no op for.
inline bool of_training(const Node &node) {
  const auto *norm = std::get_if<BatchNorm>(&node.op);
  const auto *pool = std::get_if<MaxPool2dIndices>(&node.op);
  return category_of(node.op) == Category::training || category_of(node.op) == Category::loss ||
         (norm && norm->statistics == Statistics::batch) ||
         (pool && pool->positions == PoolPositions::window);
}

inline bool exportable(const Graph &graph) {
  auto cannot = [](const Node &node) {
    return std::holds_alternative<Call>(node.op) || std::holds_alternative<Relayout>(node.op) ||
           std::holds_alternative<Weight>(node.op) || // of files that the tests make
           of_training(node);
  };
  return std::none_of(graph.nodes.begin(), graph.nodes.end(), cannot);
}

} // namespace cnnc

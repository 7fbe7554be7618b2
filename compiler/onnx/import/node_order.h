// Which nodes of a file the outputs need, and in which order they are imported.
#pragma once

#include "compiler/onnx/import/importer.h"

#include <functional>

namespace cnnc {

/// The nodes that the outputs need, each behind what it reads, else in the order of the file.
/// `is_known(name)`: a value that no node computes. Reports names that are undefined or defined
/// twice, and cycles; empty then.
std::optional<std::vector<const onnx::NodeProto *>>
nodes_in_order(const onnx::GraphProto &graph,
               const std::function<bool(const std::string &)> &is_known, Importer &importer);

/// The names that a node reads: its inputs, and what the graphs inside of it read from around them.
std::vector<std::string> names_read(const onnx::NodeProto &node);

/// "node 'conv1' (Conv)"; a node without a name is called like its first output.
std::string describe(const onnx::NodeProto &node);

} // namespace cnnc

// What the tests that run models share: parsing, tensors from numbers, the reference.
#pragma once

#include "compiler/constants/constants.h"
#include "compiler/graph_passes/graph_passes.h"
#include "ir/graph/parser.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace cnnc {

/// A model with types; a failure of the test and nothing when the text is wrong.
inline std::optional<Graph> model_of(const std::string &text) {
  Diagnostics diagnostics;
  auto source = std::make_shared<Source>(Source{"test.ir", text});
  TokenCursor cursor(tokenize(source, diagnostics), diagnostics);
  std::optional<Graph> graph = parse_graph(cursor);
  PassContext context{diagnostics};
  if (!graph || !infer_shapes(*graph, context) || diagnostics.has_errors()) {
    ADD_FAILURE() << diagnostics.to_string();
    return std::nullopt;
  }
  return graph;
}

inline Tensor tensor_of(std::vector<int64_t> shape, const std::vector<float> &values) {
  Tensor result(TensorType{DType::f32, std::move(shape)});
  EXPECT_EQ(result.count(), static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), result.mutable_floats().begin());
  return result;
}

/// 0, 1, 2 ...
inline Tensor counting(std::vector<int64_t> shape) {
  Tensor result(TensorType{DType::f32, std::move(shape)});
  std::span<float> elements = result.mutable_floats();
  std::iota(elements.begin(), elements.end(), 0.0f);
  return result;
}

inline std::vector<float> values_of(const Tensor &tensor) {
  return {tensor.floats().begin(), tensor.floats().end()};
}

/// Outputs by the reference of a model without weights.
inline std::optional<std::vector<Tensor>> run_model(const Graph &graph,
                                                    const std::vector<Tensor> &inputs,
                                                    Diagnostics &diagnostics,
                                                    const ValueObserver &observe = {}) {
  std::optional<Constants> constants = Constants::open(graph, {}, diagnostics);
  if (!constants)
    return std::nullopt;
  return interpret(graph, inputs, constants->provider(graph), diagnostics, observe);
}

/// Results of one statement list on the inputs, which it calls %x0, %x1 ...; `outputs` as in
/// `return`.
inline std::vector<Tensor> run_ops(const std::vector<Tensor> &inputs, const std::string &body,
                                   const std::string &outputs = "%y") {
  std::string parameters;
  for (size_t i = 0; i < inputs.size(); ++i)
    parameters += fmt::format("{}%x{}: {}", i ? ", " : "", i, to_string(inputs[i].type()));
  std::string text = fmt::format("model @m({}) {{\n{}\nreturn {}\n}}\n", parameters, body, outputs);
  std::optional<Graph> graph = model_of(text);
  if (!graph)
    return std::vector<Tensor>(1);
  Diagnostics diagnostics;
  auto results = run_model(*graph, inputs, diagnostics);
  if (!results) {
    ADD_FAILURE() << diagnostics.to_string() << text;
    return std::vector<Tensor>(1);
  }
  return std::move(*results);
}

inline std::vector<float> run_op(const std::vector<Tensor> &inputs, const std::string &body) {
  return values_of(run_ops(inputs, body).front());
}

} // namespace cnnc

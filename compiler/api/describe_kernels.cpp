// What every kernel of a model computes and how, for profiles. What a kernel computes stands in the
// graph just before lowering; its code and the bytes that it moves, in the program.
#include "compiler/api/describe_kernels.h"
#include "compiler/analysis/cost.h"
#include "compiler/analysis/source_place.h"
#include "compiler/layout/dot_filters.h"

#include <algorithm>
#include <fmt/format.h>

namespace cnnc {

namespace {

/// A pair as "3", or "3x1" when the two differ.
std::string format_pair(const std::array<int64_t, 2> &pair) {
  return pair[0] == pair[1] ? fmt::format("{}", pair[0]) : fmt::format("{}x{}", pair[0], pair[1]);
}

/// Height and width of an image, or the whole shape behind the batch: "56x56", "512".
std::string format_size(const TensorType &type, size_t first) {
  std::string text;
  for (size_t i = std::min(first, type.rank()); i < type.rank(); ++i)
    text += fmt::format("{}{}", text.empty() ? "" : "x", type.shape[i]);
  return text;
}

std::string format_conv2d(const Conv2d &conv, const TensorType &input, const TensorType &filter,
                          const TensorType &output) {
  std::string text =
      fmt::format("conv2d {}->{} {}x{}/{} {}", input.shape[1], output.shape[1], filter.shape[2],
                  filter.shape[3], format_pair(conv.stride), format_size(output, 2));
  if (conv.groups != 1)
    text += fmt::format(" groups {}", conv.groups);
  if (conv.dilation != std::array<int64_t, 2>{1, 1})
    text += " dilation " + format_pair(conv.dilation);
  return text;
}

/// An op with its shape: `conv2d 64->64 3x3/1 56x56`, `dense 512->1000`, `relayout 3x224x224`.
std::string format_main(const Graph &graph, const Node &node) {
  const TensorType &output = graph.type(node.results[0]);
  if (const auto *conv = std::get_if<Conv2d>(&node.op))
    return format_conv2d(*conv, graph.type(node.operands[0]), graph.type(node.operands[1]), output);
  if (std::holds_alternative<Dense>(node.op))
    return fmt::format("dense {}->{}", graph.type(node.operands[0]).shape[1], output.shape[1]);
  const std::string size = format_size(output, 1);
  return info_of(node.op).name + (size.empty() ? "" : " " + size);
}

/// An op beside the main one: its name, and the window of a pool.
std::string format_fused(const Node &node) {
  auto window = [](const auto &pool) {
    return fmt::format("{} {}x{}/{}", pool.name, pool.kernel[0], pool.kernel[1],
                       format_pair(pool.stride));
  };
  if (const auto *pool = std::get_if<MaxPool2d>(&node.op))
    return window(*pool);
  if (const auto *pool = std::get_if<AvgPool2d>(&node.op))
    return window(*pool);
  return info_of(node.op).name;
}

std::string algorithm_of_conv2d(const Graph &graph, const Conv2d &conv, const Node &node) {
  if (conv.winograd > 0)
    return fmt::format("winograd({})", conv.winograd);
  if (conv.groups == 1)
    return "direct";
  bool one_each = conv.groups == graph.type(node.operands[0]).shape[1] &&
                  conv.groups == graph.type(node.results[0]).shape[1];
  return one_each ? "depthwise" : "grouped";
}

std::string algorithm_of(const Graph &graph, const Node &main) {
  if (const auto *conv = std::get_if<Conv2d>(&main.op))
    return algorithm_of_conv2d(graph, *conv, main);
  switch (category_of(main.op)) {
  case Category::convolution:
  case Category::transposed_convolution:
    return "direct";
  case Category::matrix_product:
    return info_of(main.op).name;
  case Category::pool:
    return "pool";
  case Category::elementwise:
    return "elementwise";
  case Category::movement:
  case Category::internal:
    return "copy";
  case Category::constant:
  case Category::max_position:
  case Category::normalization:
  case Category::reduction:
  case Category::view:
  case Category::resize:
  case Category::loss:
    return "loops";
  case Category::training:
    return "gradient";
  }
  return {};
}

/// What the ops of a kernel say; the one with the most multiplications, else the first, is its main
/// one.
KernelInfo describe_group(const Graph &graph, const KernelGroup &group,
                          const std::vector<NodeId> &members) {
  KernelInfo info;
  info.schedule = to_string(group.schedule);
  info.tile = format_tile(group.schedule);
  NodeId main = members.front();
  for (NodeId member : members) {
    int64_t own = multiplications(graph, graph.nodes[member]);
    if (own > multiplications(graph, graph.nodes[main]))
      main = member;
    info.multiplications = checked_add(info.multiplications, own).value_or(int64_t(1) << 62);
  }
  for (NodeId member : members) {
    const Node &node = graph.nodes[member];
    info.ops += (info.ops.empty() ? "" : " + ") +
                (member == main ? format_main(graph, node) : format_fused(node));
  }
  info.algorithm = algorithm_of(graph, graph.nodes[main]);
  if (is_one_of<Conv2d, Dense>(graph.nodes[main].op))
    info.products = static_cast<int32_t>(
        std::max<int64_t>(1, dot_width(graph.type(graph.nodes[main].operands[1]).layout)));
  else if (takes_fours_of_rows(graph, graph.nodes[main]) &&
           holds_fours_of_rows(graph.type(graph.nodes[main].operands[1])))
    info.products = 4;
  info.source = source_place(graph.nodes[main].range);
  return info;
}

/// Bytes that a call reads and writes. A value that it reads twice counts once.
void add_bytes(const Graph &lowered, const Node &call, KernelInfo &info) {
  auto bytes = [&](ValueId id) { return byte_size(lowered.type(id)).value_or(0); };
  for (size_t i = 0; i < call.operands.size(); ++i) {
    ValueId operand = call.operands[i];
    if (std::find(call.operands.begin(), call.operands.begin() + static_cast<std::ptrdiff_t>(i),
                  operand) == call.operands.begin() + static_cast<std::ptrdiff_t>(i))
      (lowered.is_constant(operand) ? info.weight_bytes : info.input_bytes) += bytes(operand);
  }
  for (ValueId result : call.results)
    info.output_bytes += bytes(result);
}

} // namespace

std::string format_tile(const Schedule &schedule) {
  std::string text;
  for (const LoopFactor &factor : schedule.tile)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ", ", factor.loop, factor.size);
  return text;
}

std::map<std::string, KernelId> kernels_by_result(const Graph &before_lowering) {
  std::map<std::string, KernelId> result;
  const std::vector<KernelInterface> interfaces = kernel_interfaces(before_lowering);
  for (KernelId id = 0; id < before_lowering.kernels.size(); ++id)
    if (const std::vector<ValueId> &outputs = interfaces[id].outputs; !outputs.empty())
      result.emplace(before_lowering.value(outputs[0]).name, id);
  return result;
}

std::vector<KernelInfo> describe_steps(const Graph &before_lowering, const Graph &lowered,
                                       const ProgramLayout &layout) {
  const std::map<std::string, KernelId> groups = kernels_by_result(before_lowering);
  const std::vector<std::vector<NodeId>> members = kernel_members(before_lowering);
  std::vector<KernelInfo> kernels;
  for (const Node &node : lowered.nodes) {
    if (!std::holds_alternative<Call>(node.op))
      continue;
    const codegen::StepDescription &step = layout.description.steps[kernels.size()];
    auto group = groups.find(lowered.value(node.results[0]).name);
    KernelInfo info;
    if (group != groups.end())
      info = describe_group(before_lowering, before_lowering.kernels[group->second],
                            members[group->second]);
    info.name = step.name;
    info.code = step.symbol;
    add_bytes(lowered, node, info);
    kernels.push_back(std::move(info));
  }
  return kernels;
}

Result<std::vector<KernelInfo>> describe_kernels(const Model &model, const Options &options) {
  Graph before_lowering;
  Opening opening;
  opening.observe = [&](const Pass *pass, const Module &module) {
    if (!pass || pass->graph)
      before_lowering = module.models.front();
  };
  Result<Session> session = Session::open(model, options, opening);
  if (!session)
    return Error{std::string(session.error())};
  std::optional<ProgramLayout> layout = session->lay_out();
  if (!layout)
    return session->error();
  return describe_steps(before_lowering, session->model(), *layout);
}

} // namespace cnnc

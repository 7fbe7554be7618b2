// Layout assignment: activations of convolutions are stored in blocks of as many channels as a
// vector has lanes, with a border of zeros (halo) where the next convolution pads.
//
//   kernel @c(%x, %w) -> (%c) {
//     %c = conv2d %x, %w pad=[1, 1, 1, 1]
//   }
//   kernel @d(%c, %v) -> (%d) {
//     %d = conv2d %c, %v pad=[1, 1, 1, 1]
//   }
// becomes
//   kernel @x.plain(%x) -> (%x.plain) {
//     %x.plain = relayout %x : f32[1, 3, 8, 8] halo=[1, 1, 1, 1]
//   }
//   kernel @c(%x.plain, %w) -> (%c) {
//     %c = conv2d %x.plain, %w pad=[1, 1, 1, 1] : f32[1, 32, 8, 8] nchw16c halo=[1, 1, 1, 1]
//   }
//   kernel @d(%c, %v) -> (%d.nchw16c) {
//     %d.nchw16c = conv2d %c, %v pad=[1, 1, 1, 1] : f32[1, 32, 8, 8] nchw16c
//   }
//   kernel @d.1(%d.nchw16c) -> (%d) {
//     %d = relayout %d.nchw16c : f32[1, 32, 8, 8]
//   }
//
// The producer of a value writes it as its consumers want it; a `relayout` is inserted where they
// disagree and at the model's inputs and outputs, which are plain NCHW. Texts that have layouts
// keep them.
//
// Where that costs nothing, producers write straight into the result of a concat, and readers of
// the parts of a split or slice read within its operand: these values share one layout. What cannot
// lie within the result of a concat (an input of the model, say, or a value that is a part already)
// is copied there:
//
//   %d = concat %c, %x, %c axis=1
// becomes
//   kernel @c.copy(%c) -> (%c.copy) {
//     %c.copy = relayout %c : f32[1, 32, 8, 8] nchw16c halo=[1, 1, 1, 1]
//   }
//   %d = concat %c, %x.nchw16c, %c.copy axis=1 : f32[1, 96, 8, 8] nchw16c halo=[1, 1, 1, 1]
//
// An output in the memory of an input (`return %next in %w`) is computed there, if the kernel that
// does so comes last to read the input, and reads it element by element. Others are copied there,
// behind all readers.
#include "compiler/graph_passes/graph_passes.h"
#include "compiler/layout/choose_blocks.h"
#include "compiler/layout/dot_filters.h"
#include "compiler/layout/halo.h"
#include "compiler/layout/layout_groups.h"
#include "compiler/layout/updates.h"
#include "compiler/layout/views.h"
#include "compiler/pass/rewrite.h"
#include "compiler/schedule/reduction.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cnnc {

namespace {

class Layouts {
public:
  Layouts(Graph &graph, PassContext &context)
      : graph_(graph), context_(context), lanes_(context.machine.vector_lanes) {}

  bool run() {
    close_groups();
    std::vector<std::vector<NodeId>> members = kernel_members(graph_);
    for (NodeId id = 0, count = static_cast<NodeId>(graph_.nodes.size()); id < count; ++id) {
      KernelId kernel = graph_.nodes[id].kernel;
      if (kernel != no_id && members[kernel].front() == id)
        assign(members[kernel]);
      else if (kernel == no_id && !constant(graph_.nodes[id].results[0]))
        assign_view(id);
    }
    for (size_t i = 0; i < graph_.outputs.size(); ++i)
      finish_output(i);
    return graph_.sort() && finish_updates();
  }

private:
  struct Relayouted {
    std::vector<Block> blocks;
    ValueId result;
  };

  TensorType &type(ValueId id) { return *graph_.values[id].type; }
  const std::vector<int64_t> &shape(ValueId id) { return type(id).shape; }
  bool constant(ValueId id) const { return graph_.is_constant(id); }

  bool is_blocked(ValueId id) { return type(id).layout.block_of(1) > 1; }

  void assign(const std::vector<NodeId> &members) {
    // A copy: the kernels move in memory when copies of operands join them.
    const std::string kernel = graph_.kernels[graph_.nodes[members.front()].kernel].name;
    const Recorder recorder = context_.recorder("assign_layouts", kernel);
    std::vector<Block> blocks = choose_blocks(graph_, context_.machine, members, recorder);
    bool filter = blocks.empty() && computes_filter(graph_, members);
    std::set<ValueId> inside;
    for (NodeId member : members) {
      Node &node = graph_.nodes[member];
      for (size_t i = 0; i < node.operands.size(); ++i) {
        ValueId operand = node.operands[i];
        if (inside.contains(operand) || (constant(operand) && !needs_layout(node.op, i)))
          continue;
        // Factors of a filter are read one by one, wherever they lie.
        if (filter && shape(operand) != shape(node.results[0]))
          continue;
        const ValueId connected = connect_operand(node, i, blocks);
        if (connected != operand)
          recorder.note("operand", text("%{}", graph_.value(connected).name),
                        text("{} reads %{} in another layout, or with a halo",
                             info_of(node.op).name, graph_.value(operand).name));
        graph_.set_operand(member, i, connected);
      }
      for (ValueId result : node.results) {
        inside.insert(result);
        if (shape(result).size() == 4 && !std::holds_alternative<Relayout>(node.op))
          type(result).layout.blocks = blocks;
      }
    }
  }

  /// Operands that lowering reads in one layout alone, be they constant.
  static bool needs_layout(const Op &op, size_t index) {
    return (index == 0 && is_one_of<Conv2d, Local2d>(op)) ||
           std::holds_alternative<Conv2dFilterGradient>(op);
  }

  void assign_view(NodeId id) {
    switch (traits_of(graph_.nodes[id].op).view) {
    case View::whole:
      graph_.set_operand(id, 0, pinned_plain(graph_.nodes[id].operands[0]));
      break;
    case View::cut:
      return cut(id);
    case View::joined:
      return join(id);
    case View::none:
      break;
    }
  }

  /// The value row-major without halo, and so it stays: a reshape shares its memory.
  ValueId pinned_plain(ValueId value) {
    ValueId connected = connect(value, {}, {});
    if (type(connected).layout.has_halo())
      connected = relayout(value, {});
    groups_.close(connected);
    return connected;
  }

  /// Gives the results of a view the layout that its operands have, or the other way round.
  void set_layouts(const std::vector<ValueId> &values, const Layout &layout) {
    for (ValueId value : values)
      type(value).layout = layout;
  }

  /// Results of a split or slice lie within the operand as it is, else within it row-major.
  void cut(NodeId id) {
    const std::vector<ValueId> &results = graph_.nodes[id].results;
    ValueId operand = graph_.nodes[id].operands[0];
    set_layouts(results, type(operand).layout);
    if (!is_view(graph_, graph_.nodes[id])) {
      set_layouts(results, {});
      operand = pinned_plain(operand);
      graph_.set_operand(id, 0, operand);
    } else if (along_planes(id)) {
      groups_.close(operand);
    }
    for (ValueId result : results)
      groups_.join(operand, result);
  }

  /// Whether a view joins or cuts rows or columns: a halo would lie between them.
  bool along_planes(NodeId id) {
    const Node &node = graph_.nodes[id];
    const std::vector<int64_t> &whole = shape(node.operands[0]), &part = shape(node.results[0]);
    return !std::equal(whole.end() - std::min<long>(2, long(whole.size())), whole.end(),
                       part.end() - std::min<long>(2, long(part.size())));
  }

  /// The operands of a concat lie within the result; those that cannot are copied there. Where
  /// parts are no whole blocks, the concat becomes a kernel that copies all of them.
  void join(NodeId id) {
    Layout layout = {choose_blocks(graph_, context_.machine, {id}, {}), {}};
    ValueId result = graph_.nodes[id].results[0];
    std::vector<Layout> layouts;
    for (ValueId operand : graph_.nodes[id].operands)
      layouts.push_back(type(operand).layout);
    set_layouts(graph_.nodes[id].operands, layout);
    type(result).layout = layout;
    bool view = is_view(graph_, graph_.nodes[id]);
    for (size_t i = 0; i < layouts.size(); ++i)
      type(graph_.nodes[id].operands[i]).layout = layouts[i];
    if (!view) {
      graph_.enclose(id);
      return assign({id});
    }
    if (along_planes(id))
      groups_.close(result);
    for (size_t i = 0; i < layouts.size(); ++i) {
      ValueId &part = graph_.nodes[id].operands[i];
      part = part_of(result, part);
      parts_.insert(part);
      widen(part, type(result).layout.halo, type(result).layout.halo_value);
      widen(result, type(part).layout.halo, type(part).layout.halo_value);
      groups_.join(result, part);
    }
  }

  /// The value as a part of `whole`: itself, or a copy.
  ValueId part_of(ValueId whole, ValueId value) {
    const std::vector<Block> blocks = type(whole).layout.blocks;
    auto fits = [&](ValueId id) {
      NodeId producer = graph_.values[id].producer;
      bool written = producer != no_id && !constant(id) &&
                     traits_of(graph_.nodes[producer].op).view != View::whole && !is_part(id);
      bool halo =
          type(id).layout.halo == type(whole).layout.halo || (takes_halo(id) && takes_halo(whole));
      return written && halo && type(id).layout.blocks == blocks;
    };
    if (fits(value))
      return value;
    // A copy that lies in another value already is of no use any more.
    std::vector<Relayouted> &copies = copies_[value];
    std::erase_if(copies, [&](const Relayouted &known) { return is_part(known.result); });
    for (const Relayouted &known : copies)
      if (fits(known.result))
        return known.result;
    return type(value).layout.blocks == blocks ? relayout(value, blocks, "copy")
                                               : relayout(value, blocks);
  }

  /// The caller's memory has no halo, and that of reshaped values gets none.
  void close_groups() {
    for (ValueId id = 0; id < graph_.values.size(); ++id) {
      const NodeId producer = graph_.values[id].producer;
      if (producer == no_id || traits_of(graph_.nodes[producer].op).view == View::whole)
        groups_.close(id);
    }
  }

  /// Whether the halo of a value, and of all that share its layout, is still to be chosen.
  bool takes_halo(ValueId value) { return !groups_.is_closed(value); }

  /// The halo is that of the whole group, so that a wide one is seen at any member.
  ValueId widen(ValueId value, const Halo &halo, int64_t filling) {
    const Halo own = type(value).layout.halo;
    if (std::equal(halo.begin(), halo.end(), own.begin(), std::less_equal<>()))
      return value;
    for (ValueId id : groups_.members(value)) {
      for (size_t i = 0; i < halo.size(); ++i)
        type(id).layout.halo[i] = std::max(type(id).layout.halo[i], halo[i]);
      type(id).layout.halo_value = filling;
    }
    return value;
  }

  ValueId connect_operand(const Node &node, size_t index, const std::vector<Block> &blocks) {
    ValueId operand = node.operands[index];
    ValueId result = node.results[0];
    if (std::holds_alternative<Relayout>(node.op))
      return operand;
    if (shape(operand).size() != 4)
      return connect(operand, {}, {});
    if (const auto *conv = std::get_if<Conv2d>(&node.op)) {
      if (index != 0) // a filter that is computed at run time
        return connect(operand, {}, {});
      Halo halo = halo_of(*conv, shape(operand), shape(node.operands[1]), shape(result));
      const int64_t width = dot_width(graph_, node, lanes_);
      const std::vector<Block> wanted =
          width > 0 && few_channels(operand, conv->groups)
              ? std::vector<Block>{{1, block_of_few(shape(operand)[1], width)}}
              : input_blocks(operand, blocks, conv->groups);
      if (!wanted.empty() && can_be_written_in(operand, wanted))
        write_in(operand, wanted);
      return connect(operand, wanted, halo, conv->zero_point);
    }
    if (const auto *gradient = std::get_if<Conv2dFilterGradient>(&node.op))
      return connect_filter_gradient(*gradient, node, index);
    if (const auto *local = std::get_if<Local2d>(&node.op)) {
      const std::vector<int64_t> &filter = shape(node.operands[1]);
      Halo halo = halo_of_windows(local->pad, local->stride, local->dilation,
                                  {filter[4], filter[5]}, shape(operand), shape(result));
      return connect(operand, input_blocks(operand, blocks, 1), halo);
    }
    // These read one element after the other, or vectors, from any layout.
    if (is_one_of<Transpose, DepthToSpace, SpaceToDepth>(node.op))
      return connect(operand, type(operand).layout.blocks, {});
    // So do reductions of whole planes, with vectors of channels.
    if (reduces_planes(node))
      return connect(operand, type(operand).layout.blocks, {});
    // A channel that is broadcast is read alone, wherever it lies.
    bool broadcast =
        traits_of(node.op).broadcasts && shape(operand)[1] == 1 && shape(operand) != shape(result);
    return connect(operand, broadcast ? type(operand).layout.blocks : blocks, {});
  }

  /// Whether the kernel that computes a plain value element by element may write it in blocks of few
  /// channels: convolutions that want it so are all that reads it.
  bool can_be_written_in(ValueId value, const std::vector<Block> &blocks) {
    const NodeId producer = graph_.values[value].producer;
    if (producer == no_id || graph_.is_output(value) || !takes_halo(value) || is_part(value) ||
        constant(value) || !type(value).layout.plain() || blocks.front().size >= lanes_)
      return false;
    const KernelId kernel = graph_.nodes[producer].kernel;
    auto stays_inside = [&](ValueId result) {
      return !graph_.is_output(result) &&
             std::ranges::all_of(graph_.values[result].users,
                                 [&](NodeId user) { return graph_.nodes[user].kernel == kernel; });
    };
    for (const Node &node : graph_.nodes)
      if (kernel != no_id && node.kernel == kernel &&
          (category_of(node.op) != Category::elementwise ||
           shape(node.results[0]) != shape(value) ||
           (node.results[0] != value && !stays_inside(node.results[0]))))
        return false;
    return kernel != no_id && std::ranges::all_of(graph_.values[value].users, [&](NodeId user) {
             const Node &node = graph_.nodes[user];
             const auto *conv = std::get_if<Conv2d>(&node.op);
             const int64_t width = dot_width(graph_, node, lanes_);
             return conv && conv->groups == 1 && width > 0 && node.operands[0] == value &&
                    blocks == std::vector<Block>{{1, block_of_few(shape(value)[1], width)}};
           });
  }

  /// With all that the kernel computes on the way.
  void write_in(ValueId value, const std::vector<Block> &blocks) {
    const KernelId kernel = graph_.nodes[graph_.values[value].producer].kernel;
    for (const Node &node : graph_.nodes)
      if (node.kernel == kernel)
        type(node.results[0]).layout.blocks = blocks;
  }

  /// The input as the convolution has read it, the gradient as it has written its result.
  ValueId connect_filter_gradient(const Conv2dFilterGradient &op, const Node &node, size_t index) {
    Conv2d conv;
    conv.groups = op.groups;
    std::vector<Block> blocks;
    if (groups_fill_blocks(conv, shape(node.results[0]), lanes_))
      blocks = {{1, lanes_}};
    const ValueId operand = node.operands[index];
    if (index == 1)
      return connect(operand, blocks, {});
    const Halo halo = halo_of_windows(op.pad, op.stride, op.dilation, op.kernel, shape(operand),
                                      shape(node.operands[1]));
    return connect(operand, input_blocks(operand, blocks, op.groups), halo);
  }

  /// A sum or mean over everything but the channels, or over all but images and channels.
  bool reduces_planes(const Node &node) {
    const std::vector<int64_t> axes = reduced_axes(graph_, node);
    auto reduced = [&](int64_t axis) {
      return std::ranges::any_of(axes, [&](int64_t a) { return (a + 4) % 4 == axis; });
    };
    return is_one_of<ReduceSum, ReduceMean>(node.op) && !reduced(1) && reduced(2) && reduced(3);
  }

  /// A dense convolution reads few channels as they are: an image's three need no block.
  std::vector<Block> input_blocks(ValueId operand, const std::vector<Block> &blocks,
                                  int64_t groups) {
    return few_channels(operand, groups) ? std::vector<Block>{} : blocks;
  }

  bool few_channels(ValueId operand, int64_t groups) {
    return groups == 1 && !is_blocked(operand) && shape(operand)[1] < lanes_;
  }

  /// The value in a layout with these blocks and at least this halo, which holds `filling`.
  ValueId connect(ValueId value, const std::vector<Block> &blocks, const Halo &halo,
                  int64_t filling = 0) {
    auto holds = [&](ValueId id) {
      const Layout &layout = type(id).layout;
      return halo == Halo{} ||
             (takes_halo(id) && (!layout.has_halo() || layout.halo_value == filling));
    };
    bool same = type(value).layout.blocks == blocks;
    if (same && holds(value) && (halo == Halo{} || !constant(value)))
      return widen(value, halo, filling);
    for (const Relayouted &known : relayouts_[value])
      if (known.blocks == blocks && holds(known.result))
        return widen(known.result, halo, filling);
    return widen(constant(value) ? relayout_constant(value, blocks) : relayout(value, blocks), halo,
                 filling);
  }

  /// In no kernel: the compiler computes it.
  ValueId relayout_constant(ValueId value, const std::vector<Block> &blocks) {
    TensorType wanted = type(value);
    wanted.layout = {blocks, {}};
    const std::string spelling = blocks.empty() ? "plain" : to_string(wanted.layout, wanted.rank());
    ValueId result =
        graph_.add_node(Relayout{}, {value}, graph_.values[value].name + "." + spelling, wanted);
    relayouts_[value].push_back({blocks, result});
    return result;
  }

  ValueId relayout(ValueId value, const std::vector<Block> &blocks, std::string spelling = "") {
    TensorType wanted = type(value);
    wanted.layout = {blocks, {}};
    if (spelling.empty())
      spelling = blocks.empty() ? "plain" : to_string(wanted.layout, wanted.rank());
    const std::string_view reason =
        spelling == "copy"                    ? "it has to lie within the result of a concat"
        : type(value).layout.blocks == blocks ? "its memory has no room for the halo of a reader"
                                              : "a reader wants it in another order";
    ValueId result =
        add_relayout(value, graph_.values[value].name + "." + spelling, wanted, reason);
    relayouts_[value].push_back({blocks, result});
    copies_[value].push_back({blocks, result});
    return result;
  }

  /// A kernel that copies a value into another layout.
  ValueId add_relayout(ValueId value, const std::string &name, const TensorType &wanted,
                       std::string_view reason) {
    ValueId result = graph_.add_node(Relayout{}, {value}, name, wanted);
    const NodeId node = graph_.values[result].producer;
    graph_.enclose(node);
    context_.recorder("assign_layouts", graph_.kernels[graph_.nodes[node].kernel].name)
        .note("copy", text("of %{}", graph_.value(value).name), reason);
    return result;
  }

  /// The value that a chain of reshapes looks at.
  ValueId reshape_root(ValueId value) const {
    NodeId producer = graph_.values[value].producer;
    while (producer != no_id && traits_of(graph_.nodes[producer].op).view == View::whole) {
      value = graph_.nodes[producer].operands[0];
      producer = graph_.values[value].producer;
    }
    return value;
  }

  /// Lies within another value.
  bool is_part(ValueId value) const {
    NodeId producer = graph_.values[value].producer;
    return parts_.contains(value) || (producer != no_id && graph_.nodes[producer].kernel == no_id &&
                                      traits_of(graph_.nodes[producer].op).view == View::cut);
  }

  /// An output is plain, written by kernels (a constant is copied), and shares its memory with no
  /// other output. One without elements needs none of this.
  void finish_output(size_t index) {
    ValueId value = graph_.outputs[index];
    ValueId root = reshape_root(value);
    if (is_empty(type(value)))
      return;
    bool own_memory = !graph_.is_input(root) && !constant(root) && !is_part(root) &&
                      output_roots_.insert(root).second;
    if (!own_memory || !type(value).layout.plain() || !type(root).layout.plain())
      copy_output(index);
  }

  /// The output becomes a copy of what it is.
  void copy_output(size_t index) {
    const ValueId value = graph_.outputs[index];
    TensorType wanted = type(value);
    wanted.layout = {};
    // An output keeps its name where an input or an output before it does not have it.
    const std::string name = output_names_.emplace(value, graph_.values[value].name).first->second;
    const auto before = graph_.outputs.begin() + static_cast<std::ptrdiff_t>(index);
    bool rename = !graph_.is_input(value) && !renamed_.contains(value) &&
                  std::find(graph_.outputs.begin(), before, value) == before;
    if (rename) {
      const Layout &layout = type(value).layout;
      std::string suffix = layout.blocks.empty() ? "inner" : to_string(layout, wanted.rank());
      graph_.rename(value, graph_.unique_value_name(name + "." + suffix));
      renamed_.insert(value);
    }
    ValueId result =
        add_relayout(value, rename ? name : graph_.unique_value_name(name + ".copy"), wanted,
                     "an output of the model is row-major and in memory of its own");
    graph_.outputs[index] = result;
    output_roots_.insert(result);
  }

  /// What cannot be computed in the memory of the input that it updates, since that is still read,
  /// is copied there at the end.
  bool finish_updates() {
    const std::vector<Place> places = places_of_values(graph_);
    const size_t outputs = graph_.outputs.size();
    std::vector<size_t> copied;
    for (size_t i = 0; i < outputs; ++i)
      if (!may_update(graph_, places, i))
        copied.push_back(i);
    for (size_t index : copied)
      copy_output(index);
    return copied.empty() || graph_.sort();
  }

  Graph &graph_;
  PassContext &context_;
  int64_t lanes_;
  std::map<ValueId, std::vector<Relayouted>> relayouts_; // of each value
  std::map<ValueId, std::vector<Relayouted>> copies_;    // of those that may become a part
  std::set<ValueId> output_roots_, renamed_;
  std::map<ValueId, std::string> output_names_; // as they were
  std::set<ValueId> parts_;                     // lie within the result of a concat
  LayoutGroups groups_; // closed: no halo can be added, for what shares the memory has none
};

} // namespace

bool assign_layouts(Graph &graph, PassContext &context) {
  bool assigned = std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node &node) {
    return category_of(node.op) == Category::internal;
  });
  for (const Value &value : graph.values)
    assigned = assigned || (value.type && !value.type->layout.plain());
  if (assigned)
    return true;
  pad_dilated_pools(graph);
  return Layouts(graph, context).run();
}

} // namespace cnnc

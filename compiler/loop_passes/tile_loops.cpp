// Loop tiling for registers: splits loops as `tile` of the schedule says and computes a whole tile
// at a time. Its loops move below the reduction, and each register becomes an array with one
// element per iteration of the tile.
//
//   kernel @example(x: f32[8, 10]) -> (y: f32[10]) schedule(tile=ow:4) {
//     for ow in 0..10 {
//       reg sum: f32
//       sum = 0
//       for ic in 0..8 {
//         sum += x[ic, ow]
//       }
//       y[ow] = sum
//     }
//   }
// becomes
//   kernel @example(x: f32[8, 10]) -> (y: f32[10]) {
//     for ow.o in 0..1 {                            // 10 = 4 + 2 * 3
//       reg sum: f32[4]
//       unroll ow.i in 0..4 {
//         sum[ow.i] = 0
//       }
//       for ic in 0..8, unroll ow.i in 0..4 {
//         sum[ow.i] += x[ic, ow.o * 4 + ow.i]
//       }
//       unroll ow.i in 0..4 {
//         y[ow.o * 4 + ow.i] = sum[ow.i]
//       }
//     }
//     for ow.o in 0..2 {
//       reg sum: f32[3]
//       ...
//       unroll ow.i in 0..3 {
//         y[ow.o * 3 + ow.i + 4] = sum[ow.i]
//       }
//     }
//   }
//
// What does not divide is spread evenly: ceil(10 / 4) tiles of 4 or 3. The loop that `vector` names
// is counted in whole vectors, and its remainder is split into powers of two.
//
// Legal because iterations of the tiled loops do not depend on each other: each computes its own
// results, in registers of its own, from buffers that the nest does not write, or of which it reads
// and writes only elements of its own (checked).
#include "compiler/loop_passes/loop_passes.h"
#include "ir/loop/rewrite.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace cnnc {

namespace {

using loop::For;
using loop::Index;
using loop::Kernel;
using loop::LoopKind;
using loop::Register;
using loop::Statement;

/// `count` tiles of `size` iterations, from `start` on.
struct Segment {
  int64_t start, count, size;
};

void append_balanced(std::vector<Segment> &segments, int64_t start, int64_t units, int64_t largest,
                     int64_t unit) {
  int64_t tiles = (units + largest - 1) / largest;
  int64_t small = units / tiles, big_count = units - small * tiles;
  if (big_count > 0)
    segments.push_back({start, big_count, (small + 1) * unit});
  segments.push_back({start + big_count * (small + 1) * unit, tiles - big_count, small * unit});
}

/// Cuts `extent` iterations into tiles of at most `tile`. With vectors, tiles hold whole vectors of
/// `lanes` and the rest follows in powers of two.
std::vector<Segment> cut(int64_t extent, int64_t tile, int64_t lanes) {
  std::vector<Segment> segments;
  if (extent / lanes > 0)
    append_balanced(segments, 0, extent / lanes, std::max<int64_t>(1, tile / lanes), lanes);
  int64_t start = extent / lanes * lanes;
  for (int64_t piece = lanes / 2; piece >= 1; piece /= 2)
    if ((extent - start) & piece) {
      segments.push_back({start, 1, piece});
      start += piece;
    }
  return segments;
}

struct TileLoop {
  std::string variable;
  int64_t extent;
};

class Tiler {
public:
  Tiler(Kernel &kernel, PassContext &context) : kernel_(kernel), context_(context) {}

  bool run() {
    tile_nests(kernel_.body);
    for (const LoopFactor &tile : kernel_.schedule.tile)
      if (!failed_ && !tiled_.contains(tile.loop))
        error(fmt::format("the schedule tiles {}, but no nest has this loop around its registers",
                          tile.loop),
              tile.range);
    if (failed_)
      return false;
    kernel_.schedule.tile.clear();
    return true;
  }

private:
  /// Tiles the nests of a block, at any depth: a nest that has none of the loops may hold some that
  /// do.
  void tile_nests(std::vector<Statement> &body) {
    std::vector<Statement> result;
    for (Statement &statement : body) {
      std::vector<const For *> band = loop::perfect_band(statement);
      bool tiled = std::any_of(band.begin(), band.end(),
                               [&](const For *loop) { return tile_of(loop->variable) != nullptr; });
      if (tiled && (!check_kinds(band) || !check_independent(statement)))
        return;
      if (tiled) {
        band_ = band;
        vector_tiles_.clear();
        build(0, {}, {}, result);
      } else {
        if (auto *loop = std::get_if<For>(&statement.node))
          tile_nests(loop->body);
        result.push_back(std::move(statement));
      }
      if (failed_)
        return;
    }
    body = std::move(result);
  }

  const LoopFactor *tile_of(const std::string &variable) const {
    for (const LoopFactor &tile : kernel_.schedule.tile)
      if (tile.loop == variable)
        return &tile;
    return nullptr;
  }

  int64_t lanes_of(const std::string &variable) const {
    for (const LoopFactor &vector : kernel_.schedule.vector)
      if (vector.loop == variable)
        return vector.size;
    return 1;
  }

  void error(std::string message, const SourceRange &range = {}) {
    context_.diagnostics.error(range.known() ? range : kernel_.range,
                               fmt::format("kernel @{}: {}", kernel_.name, message));
    failed_ = true;
  }

  /// The tile's loops end up innermost, which they cannot be below lanes of vectors.
  bool check_kinds(const std::vector<const For *> &band) {
    for (const For *loop : band)
      if (loop->kind == LoopKind::parallel || loop->kind == LoopKind::vector) {
        error(fmt::format("loops around or below {} cannot be tiled: it is {} already",
                          loop->variable,
                          loop->kind == LoopKind::vector ? "a vector" : "parallel"));
        return false;
      }
    return true;
  }

  /// No buffer is both read and written in the nest, unless other iterations of the tiled loops
  /// read and write other elements.
  bool check_independent(const Statement &nest) {
    const std::set<std::string> read = loop::reads({&nest, 1});
    for (const std::string &buffer : loop::writes({&nest, 1}))
      if (read.contains(buffer) && kernel_.find_buffer(buffer) && !is_apart(nest, buffer)) {
        error(fmt::format("{} is both read and written by the loops to tile", buffer));
        return false;
      }
    return true;
  }

  /// Whether each tiled loop's variable stands alone in a subscript, or alone in the quotient and
  /// the remainder, that all accesses of the nest to a buffer have in common.
  bool is_apart(const Statement &nest, const std::string &buffer) const {
    std::optional<std::vector<Index>> shared;
    loop::for_each_access({&nest, 1}, [&](const loop::Access &access) {
      if (access.buffer != buffer)
        return;
      if (!shared)
        shared = access.subscripts;
      for (size_t i = 0; i < shared->size(); ++i)
        if (!((*shared)[i] == access.subscripts[i]))
          (*shared)[i] = Index(0);
    });
    auto holds = [&](const Index &index) {
      return std::find(shared->begin(), shared->end(), index) != shared->end();
    };
    auto tells_apart = [&](const std::string &variable) {
      return std::any_of(shared->begin(), shared->end(), [&](const Index &index) {
        Index value = Index::variable(variable);
        if (index - index.constant == value)
          return true;
        const bool divided = index.terms.size() == 1 && index.terms[0].divisor > 0;
        return divided && holds(value / index.terms[0].divisor) &&
               holds(value % index.terms[0].divisor);
      });
    };
    std::vector<const For *> band = loop::perfect_band(nest);
    return shared && std::all_of(band.begin(), band.end(), [&](const For *loop) {
             return !tile_of(loop->variable) || tells_apart(loop->variable);
           });
  }

  /// The loops of the band from `depth` on, with the tiles of the outer ones decided.
  void build(size_t depth, const loop::Replacements &values, const std::vector<TileLoop> &tile,
             std::vector<Statement> &result) {
    if (failed_)
      return;
    if (depth == band_.size()) {
      std::vector<Statement> body = band_.back()->body;
      loop::substitute(body, values);
      std::vector<TileLoop> ordered = tile;
      // Vectors innermost: one broadcast then serves all of them.
      std::stable_partition(ordered.begin(), ordered.end(), [&](const TileLoop &loop) {
        return !vector_tiles_.contains(loop.variable);
      });
      if (!ordered.empty())
        body = sink(std::move(body), ordered);
      for (Statement &statement : body)
        result.push_back(std::move(statement));
      return;
    }
    const For &loop = *band_[depth];
    const LoopFactor *factor = tile_of(loop.variable);
    if (!factor) {
      For copy = loop;
      for (std::vector<Index> *bound : {&copy.lower, &copy.upper})
        for (Index &index : *bound)
          index = loop::substitute(index, values);
      copy.body.clear();
      build(depth + 1, values, tile, copy.body);
      result.push_back({std::move(copy), {}});
      return;
    }
    std::optional<int64_t> extent = loop.extent();
    if (!extent || !(loop.lower[0] == Index(0)))
      return error(fmt::format("{} cannot be tiled: its bounds are not constants", loop.variable),
                   factor->range);
    tiled_.insert(loop.variable);
    for (const Segment &segment : cut(*extent, factor->size, lanes_of(loop.variable)))
      build_segment(depth, segment, values, tile, result);
  }

  void build_segment(size_t depth, const Segment &segment, loop::Replacements values,
                     std::vector<TileLoop> tile, std::vector<Statement> &result) {
    const std::string &name = band_[depth]->variable;
    // A single tile keeps its loop: the registers of the tiles must not meet in one scope.
    Index value = Index::variable(name + ".o") * segment.size + segment.start;
    if (segment.size > 1) {
      value = value + Index::variable(name + ".i");
      tile.push_back({name + ".i", segment.size});
    }
    if (lanes_of(name) > 1)
      vector_tiles_.insert(name + ".i");
    values.emplace_back(name, value);
    std::vector<Statement> body;
    build(depth + 1, values, tile, body);
    result.push_back(loop::make_for(name + ".o", segment.count, std::move(body)));
  }

  /// Wraps every assignment of a body into the tile's loops and gives registers the tile's
  /// dimensions.
  std::vector<Statement> sink(std::vector<Statement> body, const std::vector<TileLoop> &tile) {
    for (Statement &statement : body)
      if (auto *reg = std::get_if<Register>(&statement.node))
        expand_register(*reg, body, tile);
    std::vector<Statement> result;
    for (Statement &statement : body) {
      if (auto *inner = std::get_if<For>(&statement.node))
        sink_loop(std::move(*inner), tile, result);
      else if (std::holds_alternative<loop::Assign>(statement.node))
        result.push_back(wrapped(std::move(statement), tile));
      else
        result.push_back(std::move(statement));
    }
    return result;
  }

  static void expand_register(Register &reg, std::vector<Statement> &body,
                              const std::vector<TileLoop> &tile) {
    std::vector<Index> subscripts;
    std::vector<int64_t> shape;
    for (const TileLoop &loop : tile) {
      subscripts.push_back(Index::variable(loop.variable));
      shape.push_back(loop.extent);
    }
    reg.shape.insert(reg.shape.begin(), shape.begin(), shape.end());
    loop::for_each_access(body, [&](loop::Access &access) {
      if (access.buffer == reg.name)
        access.subscripts.insert(access.subscripts.begin(), subscripts.begin(), subscripts.end());
    });
  }

  static Statement wrapped(Statement statement, const std::vector<TileLoop> &tile) {
    for (size_t i = tile.size(); i-- > 0;) {
      std::vector<Statement> body;
      body.push_back(std::move(statement));
      statement =
          loop::make_for(tile[i].variable, tile[i].extent, std::move(body), LoopKind::unroll);
    }
    return statement;
  }

  static bool holds_serial_loop(const For &loop) {
    return std::any_of(loop.body.begin(), loop.body.end(), [](const Statement &statement) {
      const auto *inner = std::get_if<For>(&statement.node);
      return inner && (inner->kind == LoopKind::serial || holds_serial_loop(*inner));
    });
  }

  /// A serial loop stays outside of the tile's loops. Unrolled ones around a reduction (the block
  /// of values that a fused pool reads) become part of the tile: they move inwards, too.
  void sink_loop(For loop, const std::vector<TileLoop> &tile, std::vector<Statement> &result) {
    for (const std::vector<Index> *bound : {&loop.lower, &loop.upper})
      for (const Index &index : *bound)
        for (const TileLoop &tiled : tile)
          if (index.uses(tiled.variable))
            return error(fmt::format("the tile loop {} cannot move below {}, whose bounds use it",
                                     tiled.variable, loop.variable));
    std::vector<TileLoop> block;
    For *innermost = &loop;
    while (innermost->kind == LoopKind::unroll) {
      block.push_back({innermost->variable, innermost->extent().value_or(0)});
      auto *next =
          innermost->body.size() == 1 ? std::get_if<For>(&innermost->body[0].node) : nullptr;
      if (!next || next->kind != LoopKind::unroll)
        break;
      innermost = next;
    }
    if (!block.empty() && holds_serial_loop(*innermost)) {
      block.insert(block.end(), tile.begin(), tile.end());
      for (Statement &statement : sink(std::move(innermost->body), block))
        result.push_back(std::move(statement));
      return;
    }
    loop.body = sink(std::move(loop.body), tile);
    result.push_back({std::move(loop), {}});
  }

  Kernel &kernel_;
  PassContext &context_;
  std::vector<const For *> band_;
  std::set<std::string> vector_tiles_; // loops of the tile that become lanes
  std::set<std::string> tiled_;        // loops of the schedule that some nest has
  bool failed_ = false;
};

} // namespace

bool tile_loops(Kernel &kernel, PassContext &context) {
  return kernel.schedule.tile.empty() || Tiler(kernel, context).run();
}

} // namespace cnnc

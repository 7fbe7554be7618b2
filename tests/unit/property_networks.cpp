#include "tests/unit/property_writer.h"

namespace cnnc {

namespace random_models {

namespace {

/// Feature maps [n, c, h, w] and the layers between them.
class Network {
public:
  Network(Choices &r, bool symbolic) : r_(r), writer_(symbolic) {
    Shape shape = {symbolic ? 1 : r.between(1, 2), r.between(1, 20), r.between(4, 14),
                   r.between(4, 20)};
    maps_.push_back({writer_.input(shape), shape});
    if (r.between(0, 2) == 0)
      maps_.push_back({writer_.input(shape), shape});
  }
  void add_block();
  std::string finish();

private:
  struct Map {
    std::string name;
    Shape shape;
  };
  using Block = void (Network::*)(Map);

  /// Mostly the latest.
  Map pick() {
    int64_t last = static_cast<int64_t>(maps_.size()) - 1;
    return maps_[static_cast<size_t>(r_.between(0, 3) ? last : r_.between(0, last))];
  }
  /// Another map of the same shape; itself when there is none.
  Map partner(const Map &map) {
    std::vector<Map> fits;
    for (const Map &other : maps_)
      if (other.shape == map.shape && other.name != map.name)
        fits.push_back(other);
    if (fits.empty())
      return map;
    return fits[static_cast<size_t>(r_.between(0, static_cast<int64_t>(fits.size()) - 1))];
  }
  void keep(const std::string &name, const Shape &shape) { maps_.push_back({name, shape}); }
  std::string value(const std::string &expression) { return writer_.value(expression); }

  void conv_block(Map);
  void residual(Map);
  void squeeze_and_excite(Map);
  void inception(Map);
  void pool_block(Map);
  void binary_block(Map);
  void unary_block(Map);
  void shuffle(Map);
  void split_and_join(Map);
  void cut_or_pad(Map);
  void dense_gate(Map);
  void softmax_block(Map);
  Map conv(const Map &, Conv);

  Choices &r_;
  Writer writer_;
  std::vector<Map> maps_;
};

Network::Map Network::conv(const Map &map, Conv layer) {
  layer.input = map.shape;
  std::string y = value(layer.write(r_, writer_, map.name));
  if (r_.flip())
    y = batch_norm_of(r_, writer_, y, layer.oc);
  if (r_.between(0, 3))
    y = value(random_continuous_unary(r_, y));
  return {y, {map.shape[0], layer.oc, layer.output(0), layer.output(1)}};
}

void Network::conv_block(Map map) {
  Conv layer{map.shape, r_.between(1, 40)};
  int64_t size = r_.one_of<int64_t>({1, 3, 3, 5});
  layer.kernel = {size, size};
  if (r_.between(0, 4) == 0)
    layer.kernel[static_cast<size_t>(r_.between(0, 1))] = 1;
  for (size_t i = 0; i < 4; ++i)
    layer.pad[i] = r_.between(0, 4) ? layer.kernel[i % 2] / 2 : layer.kernel[i % 2] - 1;
  if (r_.between(0, 3) == 0)
    layer.stride = {2, r_.between(1, 2)};
  if (r_.between(0, 3) == 0) {
    layer.groups = map.shape[1];
    layer.oc = map.shape[1];
  }
  Map result = conv(map, layer);
  keep(result.name, result.shape);
}

void Network::residual(Map map) {
  Conv layer{map.shape, r_.between(1, 40)};
  layer.kernel = {3, 3};
  layer.pad = {1, 1, 1, 1};
  Map inner = conv(map, layer);
  layer.oc = map.shape[1];
  Map outer = conv(inner, layer);
  std::string sum = value(fmt::format("add {}, {}", r_.flip() ? outer.name : map.name,
                                      r_.flip() ? outer.name : map.name));
  keep(r_.flip() ? value("relu " + sum) : sum, map.shape);
}

void Network::squeeze_and_excite(Map map) {
  Conv layer;
  layer.oc = r_.between(1, 8);
  Map mean{value("global_avg_pool2d " + map.name), {map.shape[0], map.shape[1], 1, 1}};
  Map squeezed = conv(mean, layer);
  layer.oc = map.shape[1];
  Map excited = conv(squeezed, layer);
  std::string gate =
      value(fmt::format("{} {}", r_.one_of({"sigmoid", "hard_sigmoid"}), excited.name));
  keep(value(fmt::format("mul {}, {}", map.name, gate)), map.shape);
}

void Network::inception(Map map) {
  std::vector<std::string> names;
  int64_t channels = 0;
  for (int64_t i = r_.between(2, 3); i > 0; --i) {
    Conv layer{map.shape, r_.between(1, 24)};
    int64_t size = r_.one_of<int64_t>({1, 3, 5});
    layer.kernel = {size, size};
    layer.pad = Shape(4, size / 2);
    Map branch = conv(map, layer);
    names.push_back(branch.name);
    channels += layer.oc;
  }
  if (r_.flip()) {
    names.push_back(value(fmt::format("{} {} kernel=[3, 3] pad=[1, 1, 1, 1]",
                                      r_.one_of({"max_pool2d", "avg_pool2d"}), map.name)));
    channels += map.shape[1];
  }
  if (r_.between(0, 4) == 0) {
    names.push_back(map.name);
    channels += map.shape[1];
  }
  keep(value(fmt::format("concat {} axis=1", fmt::join(names, ", "))),
       {map.shape[0], channels, map.shape[2], map.shape[3]});
}

void Network::pool_block(Map map) {
  if (map.shape[2] < 3 || map.shape[3] < 3)
    return unary_block(map);
  Conv window{map.shape};
  int64_t size = r_.between(2, 3);
  window.kernel = {size, size};
  window.stride = {r_.between(1, 2), r_.between(1, 2)};
  if (size == 3)
    window.pad = {1, 1, 1, 1};
  keep(value(fmt::format("{} {} kernel={}{}", r_.one_of({"max_pool2d", "avg_pool2d"}), map.name,
                         list(window.kernel), window.attributes())),
       {map.shape[0], map.shape[1], window.output(0), window.output(1)});
}

void Network::binary_block(Map map) {
  std::string other = partner(map).name;
  switch (r_.between(0, 5)) {
  case 0:
    other = writer_.uniform({map.shape[1], 1, 1});
    break;
  case 2:
    other = writer_.normal(map.shape);
    break;
  case 1:
    other = value("global_avg_pool2d " + other);
    break;
  default:
    break;
  }
  std::string a = map.name, b = other;
  if (r_.flip())
    std::swap(a, b);
  keep(value(fmt::format("{} {}, {}", r_.one_of({"add", "add", "sub", "max", "min"}), a, b)),
       map.shape);
}

void Network::unary_block(Map map) {
  keep(value(random_continuous_unary(r_, map.name)), map.shape);
}

/// Channels of g groups interleaved, as in ShuffleNet.
void Network::shuffle(Map map) {
  int64_t groups = map.shape[1] % 4 == 0 ? 4 : map.shape[1] % 3 == 0 ? 3 : 1;
  std::string parts = value(fmt::format("reshape {} shape=[0, {}, {}, {}, {}]", map.name, groups,
                                        map.shape[1] / groups, map.shape[2], map.shape[3]));
  std::string moved = value("transpose " + parts + " permutation=[0, 2, 1, 3, 4]");
  keep(value(fmt::format("reshape {} shape=[0, {}, {}, {}]", moved, map.shape[1], map.shape[2],
                         map.shape[3])),
       map.shape);
}

void Network::split_and_join(Map map) {
  if (map.shape[1] < 2)
    return unary_block(map);
  int64_t first = r_.between(1, map.shape[1] - 1);
  std::vector<std::string> parts = writer_.values(
      2, fmt::format("split {} axis=1 sizes=[{}, {}]", map.name, first, map.shape[1] - first));
  if (r_.flip())
    parts[0] = value(random_continuous_unary(r_, parts[0]));
  keep(value(fmt::format("concat {}, {} axis=1", parts[1], parts[0])), map.shape);
}

void Network::cut_or_pad(Map map) {
  if (map.shape[2] < 3 || map.shape[3] < 3 || r_.flip()) {
    int64_t size = r_.between(0, 2);
    Shape shape = {map.shape[0], map.shape[1], map.shape[2] + size, map.shape[3] + 1};
    std::string mode = r_.one_of({"constant", "edge"});
    return keep(value(fmt::format("pad {} before=[0, 0, {}, 0] after=[0, 0, 0, 1] mode={}",
                                  map.name, size, mode)),
                shape);
  }
  keep(value(fmt::format("slice {} starts=[1, 0] ends=[-1, 9999] axes=[2, 3] steps=[1, 2]",
                         map.name)),
       {map.shape[0], map.shape[1], map.shape[2] - 2, (map.shape[3] + 1) / 2});
}

/// Squeeze and excite by way of vectors.
void Network::dense_gate(Map map) {
  int64_t channels = map.shape[1], inner = r_.between(1, 20);
  std::string mean = value(fmt::format("reduce_mean {} axes=[2, 3] keep_dims=false", map.name));
  std::string squeezed = value(fmt::format(
      "dense {}, {}, {}", mean, writer_.normal({inner, channels}), writer_.uniform({inner})));
  std::string active = value(random_continuous_unary(r_, squeezed));
  std::string excited =
      value(fmt::format("dense {}, {}", active, writer_.normal({channels, inner})));
  std::string gate =
      value(fmt::format("reshape {} shape=[0, {}, 1, 1]", value("sigmoid " + excited), channels));
  keep(value(fmt::format("mul {}, {}", gate, map.name)), map.shape);
}

void Network::softmax_block(Map map) {
  keep(value(fmt::format("softmax {} axis={}", map.name, r_.between(1, 3))), map.shape);
}

void Network::add_block() {
  constexpr Block blocks[] = {&Network::conv_block,
                              &Network::conv_block,
                              &Network::conv_block,
                              &Network::residual,
                              &Network::squeeze_and_excite,
                              &Network::inception,
                              &Network::pool_block,
                              &Network::binary_block,
                              &Network::binary_block,
                              &Network::unary_block,
                              &Network::shuffle,
                              &Network::split_and_join,
                              &Network::cut_or_pad,
                              &Network::dense_gate,
                              &Network::softmax_block};
  (this->*blocks[r_.between(0, std::size(blocks) - 1)])(pick());
}

/// The last map or a classifier on it, and some others: inner ones, views, inputs themselves.
std::string Network::finish() {
  Map last = maps_.back();
  std::vector<std::string> outputs = {last.name};
  if (r_.flip()) {
    std::string mean = value("global_avg_pool2d " + last.name);
    std::string scores = value(fmt::format("dense {}, {}", value("flatten " + mean),
                                           writer_.normal({r_.between(1, 12), last.shape[1]})));
    outputs = {r_.flip() ? value("softmax " + scores) : scores};
  }
  for (int64_t i = r_.between(0, 5) - 2; i > 0; --i) {
    Map map = maps_[static_cast<size_t>(r_.between(0, static_cast<int64_t>(maps_.size()) - 1))];
    std::string name = map.name;
    if (r_.flip())
      name = value(fmt::format("reshape {} shape=[0, -1]", name));
    if (std::find(outputs.begin(), outputs.end(), name) == outputs.end())
      outputs.push_back(name);
  }
  return writer_.model(outputs);
}

} // namespace

std::string network(Choices &r, bool symbolic) {
  Network result(r, symbolic);
  for (int64_t i = r.between(1, 9); i > 0; --i)
    result.add_block();
  return result.finish();
}

} // namespace random_models

std::string random_network(Choices &r) { return random_models::network(r, false); }

} // namespace cnnc

#include "recognize.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ocr {
namespace {

constexpr Colours colours = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}};
constexpr float column_ratio = 1.5f; // boxes higher than this times their width are read turned
constexpr float sure_of_turn = 0.9f; // probability at which a line is also read turned by half

/// The box as a cut that begins where its text does, if that runs to the right or down.
Cut cut_of(const Rectangle &rectangle) {
  const auto corners = rectangle.corners();
  if (rectangle.height >= column_ratio * rectangle.width)
    return {corners[1], corners[2] - corners[1], corners[0] - corners[1]};
  return {corners[0], corners[1] - corners[0], corners[3] - corners[0]};
}

Cut turned_by_half(const Cut &cut) {
  return {cut.origin + cut.right + cut.down, cut.right * -1, cut.down * -1};
}

/// The cut at the height of the network, at most as wide as its input.
Image resample_for(const Network &network, const Image &image, const Cut &cut) {
  const float ratio = length(cut.right) / std::max(length(cut.down), 1.0f);
  const int width = int(std::ceil(std::min(network.height() * ratio, float(network.width()))));
  return resample(image, cut, std::max(width, 1), network.height());
}

} // namespace

Recogniser::Recogniser(std::vector<Network> networks, Network direction, std::string_view alphabet)
    : networks_(std::move(networks)), direction_(std::move(direction)) {
  characters_.emplace_back(); // blank
  while (!alphabet.empty()) {
    const size_t end = std::min(alphabet.find('\n'), alphabet.size());
    std::string_view character = alphabet.substr(0, end);
    if (character.ends_with('\r'))
      character.remove_suffix(1);
    characters_.emplace_back(character);
    alphabet.remove_prefix(std::min(end + 1, alphabet.size()));
  }
  characters_.emplace_back(" ");
  for (const Network &network : networks_)
    if (network.output_shape().size() != 3 ||
        network.output_shape()[2] != int64_t(characters_.size()))
      throw std::runtime_error("the alphabet is not that of the recognition network");
  if (networks_.empty() || direction_.output_shape().back() != 2)
    throw std::runtime_error("a network of the recognition is missing");
}

Line Recogniser::read(const Image &image, const TextBox &box) {
  const Cut cut = cut_of(box.rectangle);
  Line line = read_cut(image, cut, box);
  // The classifier alone is not to be trusted with long lines, which it sees squeezed.
  if (direction_.run(resample_for(direction_, image, cut), colours)[1] > sure_of_turn)
    if (Line turned = read_cut(image, turned_by_half(cut), box);
        turned.confidence > line.confidence)
      return turned;
  return line;
}

Line Recogniser::read_cut(const Image &image, const Cut &cut, const TextBox &box) {
  const float ratio = length(cut.right) / std::max(length(cut.down), 1.0f);
  auto fits = [&](const Network &network) { return network.height() * ratio <= network.width(); };
  auto network = std::ranges::find_if(networks_, fits);
  if (network == networks_.end())
    --network; // squeezed
  return decode(network->run(resample_for(*network, image, cut), colours), box);
}

Line Recogniser::decode(std::span<const float> probabilities, const TextBox &box) const {
  Line line = {box, "", 0};
  int count = 0;
  size_t previous = 0;
  for (; !probabilities.empty(); probabilities = probabilities.subspan(characters_.size())) {
    const auto step = probabilities.first(characters_.size());
    const auto likeliest = std::ranges::max_element(step);
    const size_t character = likeliest - step.begin();
    if (character != 0 && character != previous) {
      line.text += characters_[character];
      line.confidence += *likeliest;
      ++count;
    }
    previous = character;
  }
  line.confidence /= float(std::max(count, 1));
  return line;
}

} // namespace ocr

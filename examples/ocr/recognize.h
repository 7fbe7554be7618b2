// What a line of text says: a recogniser in the manner of CRNN (Shi, Bai and Yao, "An end-to-end
// trainable neural network for image-based sequence recognition", 2015), trained with connectionist
// temporal classification (Graves, Fernandez, Gomez and Schmidhuber, 2006). The network gives, for
// each of its steps from left to right, the probabilities of all characters and of the blank, which
// stands between two equal characters and around all.
#pragma once

#include "detect.h"

#include <string>
#include <string_view>
#include <vector>

namespace ocr {

struct Line {
  TextBox box;
  std::string text; // UTF-8
  float confidence; // mean probability of its characters, 0 to 1
};

class Recogniser {
public:
  /// `networks`: PP-OCR's recognition for lines of several lengths, the shortest first, with output
  /// [1, steps, characters]. `direction`: its classifier of lines that stand on their heads, with
  /// output [1, 2]. `alphabet`: the characters that the recognition knows, one a line; blank comes
  /// before them, the space after. Throws std::runtime_error when their numbers do not agree.
  Recogniser(std::vector<Network> networks, Network direction, std::string_view alphabet);

  /// Turns the line upright first, by quarters of a turn.
  Line read(const Image &image, const TextBox &box);

private:
  Line read_cut(const Image &image, const Cut &cut, const TextBox &box);
  Line decode(std::span<const float> probabilities, const TextBox &box) const;

  std::vector<Network> networks_;
  Network direction_;
  std::vector<std::string> characters_;
};

} // namespace ocr

// Reads the text in a photo: finds its lines, turns each upright, and reads it. Three networks of
// PP-OCR do the work, compiled into this program by cnnc.
#include "draw.h"
#include "recognize.h"

#include "alphabet.h"
#include "line_direction.h"
#include "long_lines.h"
#include "short_lines.h"
#include "text_detection.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <iostream>

namespace ocr {
namespace {

constexpr float least_confidence = 0.5f; // what is read with less is mostly not text

struct Options {
  std::string photo, annotated, inputs;
  bool json = false, time = false;
  uint32_t threads = 1;
};

/// score x,y x,y x,y x,y text: the corners clockwise from the text's top left when it is upright.
void print_lines(const std::vector<Line> &lines) {
  for (const Line &line : lines) {
    std::printf("%.3f", line.confidence);
    for (Point corner : line.box.rectangle.corners())
      std::printf(" %.1f,%.1f", corner.x, corner.y);
    std::printf(" %s\n", line.text.c_str());
  }
}

void print_json(const std::vector<Line> &lines) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Line &line : lines) {
    nlohmann::ordered_json box = nlohmann::ordered_json::array();
    for (Point corner : line.box.rectangle.corners())
      box.push_back({corner.x, corner.y});
    all.push_back({{"text", line.text},
                   {"confidence", line.confidence},
                   {"detection", line.box.score},
                   {"box", box}});
  }
  std::cout << all.dump(2) << "\n";
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

void read_photo(const Options &options) {
  Image image = read_image(options.photo);
  auto network = [&](const cnnc_model_v1 *model) {
    Network result(*model, options.threads);
    if (!options.inputs.empty())
      result.record(options.inputs, std::filesystem::path(options.photo).stem());
    return result;
  };
  Network detection = network(text_detection_model());
  std::vector<Network> recognition;
  recognition.push_back(network(short_lines_model()));
  recognition.push_back(network(long_lines_model()));
  Recogniser recogniser(std::move(recognition), network(line_direction_model()), alphabet);

  const auto start = std::chrono::steady_clock::now();
  const std::vector<TextBox> boxes = find_text(detection, image);
  const double finding = milliseconds_since(start);
  std::vector<Line> lines;
  for (const TextBox &box : boxes)
    if (Line line = recogniser.read(image, box); line.confidence >= least_confidence)
      lines.push_back(std::move(line));
  if (options.time)
    std::fprintf(stderr, "%.1f ms to find %zu boxes, %.1f ms to read them\n", finding, boxes.size(),
                 milliseconds_since(start) - finding);
  options.json ? print_json(lines) : print_lines(lines);
  if (!options.annotated.empty()) {
    draw_lines(image, lines);
    write_png(options.annotated, image);
  }
}

} // namespace
} // namespace ocr

int main(int argc, char **argv) {
  ocr::Options options;
  CLI::App app("Reads the text in a photo: one line each, its confidence, its box and its text.");
  app.add_option("photo", options.photo, "JPEG, PNG or BMP file")->required();
  app.add_option("-o", options.annotated, "Write the photo with boxes and texts to this PNG file");
  app.add_option("--inputs", options.inputs,
                 "Write what each network sees to .npy files in a folder of its name in this one");
  app.add_flag("--json", options.json, "Print JSON");
  app.add_flag("--time", options.time, "Print times to standard error");
  app.add_option("--threads", options.threads, "Threads of each network; default: 1");
  CLI11_PARSE(app, argc, argv);
  try {
    ocr::read_photo(options);
  } catch (const std::exception &error) {
    std::cerr << "ocr: error: " << error.what() << "\n";
    return 1;
  }
}

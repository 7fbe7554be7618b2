// Ops that move elements, as ONNX nodes, and resizing.
#include "compiler/onnx/export/node.h"
#include "compiler/onnx/export/scales.h"

#include <onnx/onnx_pb.h>

namespace cnnc {

bool NodeExport::add(const Concat &op) {
  set_attribute(node("Concat"), "axis", op.axis);
  return true;
}

bool NodeExport::add(const Split &op) {
  inputs_.push_back(integers("sizes", op.sizes));
  set_attribute(node("Split"), "axis", op.axis);
  return true;
}

bool NodeExport::add(const Slice &op) {
  if (op.starts.empty())
    return same("Identity");
  std::vector<int64_t> axes = op.axes, steps = op.steps;
  for (int64_t axis = 0; op.axes.empty() && axis < int64_t(op.starts.size()); ++axis)
    axes.push_back(axis);
  if (steps.empty())
    steps.assign(op.starts.size(), 1);
  inputs_.push_back(integers("starts", op.starts));
  inputs_.push_back(integers("ends", op.ends));
  inputs_.push_back(integers("axes", axes));
  inputs_.push_back(integers("steps", steps));
  return same("Slice");
}

/// Opset 17 has no mode wrap: the elements are gathered, one dimension after the other.
bool NodeExport::add_wrapped(const Pad &op) {
  std::vector<size_t> padded;
  for (size_t axis = 0; axis < op.before.size(); ++axis)
    if (op.before[axis] > 0 || op.after[axis] > 0)
      padded.push_back(axis);
  if (padded.empty())
    return same("Identity");
  std::string name = inputs_[0];
  for (size_t axis : padded) {
    int64_t size = shape(0)[axis];
    std::vector<int64_t> indices;
    for (int64_t i = -op.before[axis]; i < size + op.after[axis]; ++i)
      indices.push_back((i % size + size) % size);
    std::string gathered =
        axis == padded.back() ? outputs_[0] : builder_.fresh_name(derived("gathered"));
    std::string subscripts = integers("wrapped", indices);
    set_attribute(builder_.add("Gather", {name, subscripts}, {gathered}), "axis",
                  static_cast<int64_t>(axis));
    name = gathered;
  }
  return true;
}

bool NodeExport::add(const Pad &op) {
  if (op.mode == PadMode::wrap)
    return add_wrapped(op);
  std::vector<int64_t> pads = op.before;
  pads.insert(pads.end(), op.after.begin(), op.after.end());
  inputs_.push_back(integers("pads", pads));
  if (op.mode == PadMode::constant) {
    DType dtype = graph_.type(node_.results[0]).dtype;
    inputs_.push_back(builder_.scalar(derived("value"), dtype, op.value));
  }
  set_attribute(node("Pad"), "mode",
                std::string(Words<PadMode>::words[static_cast<size_t>(op.mode)]));
  return true;
}

bool NodeExport::add(const Reshape &op) {
  inputs_.push_back(integers("shape", op.shape));
  return same("Reshape");
}

bool NodeExport::add(const Flatten &op) {
  set_attribute(node("Flatten"), "axis", op.axis);
  return true;
}

/// An empty list of a scalar's dimensions would be no attribute.
bool NodeExport::add(const Transpose &op) {
  if (op.permutation.empty())
    return same("Identity");
  set_attribute(node("Transpose"), "perm", op.permutation);
  return true;
}

/// Blocks that are no squares are spelt as transposes of their six dimensions; a crop is a Slice.
bool NodeExport::add(const DepthToSpace &op) {
  const bool cropped = op.crop != std::array<int64_t, 4>{};
  const bool dcr = op.mode == DepthOrder::dcr;
  const int64_t rows = op.block[0], columns = op.block[1], c = result_shape()[1];
  const int64_t h = shape(0)[2], w = shape(0)[3];
  const std::string whole = cropped ? builder_.fresh_name(derived("whole")) : outputs_[0];
  if (rows == columns) {
    onnx::NodeProto &shuffle = builder_.add("DepthToSpace", inputs_, {whole});
    set_attribute(shuffle, "blocksize", rows);
    set_attribute(shuffle, "mode", std::string(dcr ? "DCR" : "CRD"));
  } else {
    std::vector<int64_t> split = dcr ? std::vector<int64_t>{0, rows, columns, c, h, w}
                                     : std::vector<int64_t>{0, c, rows, columns, h, w};
    std::string parts = step("Reshape", {inputs_[0], integers("blocks", split)}, "parts");
    parts = transposed(parts,
                       dcr ? std::vector<int64_t>{0, 3, 4, 1, 5, 2}
                           : std::vector<int64_t>{0, 1, 4, 2, 5, 3},
                       "pixels");
    builder_.add("Reshape", {parts, integers("planes", {0, c, h * rows, w * columns})}, {whole});
  }
  if (cropped)
    builder_.add("Slice",
                 {whole, integers("starts", {op.crop[0], op.crop[1]}),
                  integers("ends", {h * rows - op.crop[2], w * columns - op.crop[3]}),
                  integers("axes", {2, 3})},
                 outputs_);
  return true;
}

bool NodeExport::add(const SpaceToDepth &op) {
  const int64_t rows = op.block[0], columns = op.block[1], c = shape(0)[1];
  const int64_t h = result_shape()[2], w = result_shape()[3];
  if (rows == columns) {
    set_attribute(node("SpaceToDepth"), "blocksize", rows);
    return true;
  }
  std::string parts =
      step("Reshape", {inputs_[0], integers("blocks", {0, c, h, rows, w, columns})}, "parts");
  parts = transposed(parts, {0, 3, 5, 1, 2, 4}, "pixels");
  builder_.add("Reshape", {parts, integers("planes", {0, rows * columns * c, h, w})}, outputs_);
  return true;
}

bool NodeExport::add(const Gather &op) {
  set_attribute(node("Gather"), "axis", op.axis);
  return true;
}

/// Either sizes or scales: those that the formulas use. half_pixel_symmetric is younger than the
/// opset; without scales it is half_pixel.
bool NodeExport::add(const Resize2d &op) {
  auto word = []<class T>(T value) {
    return std::string(Words<T>::words[static_cast<size_t>(value)]);
  };
  ResizeCoordinates coordinates = op.coordinates;
  if (coordinates == ResizeCoordinates::half_pixel_symmetric && op.scales.empty())
    coordinates = ResizeCoordinates::half_pixel;
  if (coordinates == ResizeCoordinates::half_pixel_symmetric)
    return false;
  const bool crops = coordinates == ResizeCoordinates::tf_crop_and_resize;
  if (op.mode != ResizeMode::nearest)
    read_as_floats();
  inputs_.push_back(crops ? builder_.numbers(derived("roi"), op.roi) : "");
  std::vector<double> scales = op.scales;
  if (scales.empty() && graph_.type(node_.results[0]).has_symbolic_batch())
    for (size_t i = 0; i < 2; ++i) // sizes would have to say that of the batch
      scales.push_back(scale_to(op.sizes[i], shape(0)[2 + i]));
  if (scales.empty()) {
    inputs_.push_back("");
    inputs_.push_back(integers("sizes", result_shape()));
  } else {
    inputs_.push_back(builder_.numbers(derived("scales"), {1, 1, scales[0], scales[1]}));
  }
  onnx::NodeProto &resize = node("Resize");
  set_attribute(resize, "mode", word(op.mode));
  set_attribute(resize, "coordinate_transformation_mode", word(coordinates));
  set_attribute(resize, "nearest_mode", word(op.nearest));
  set_attribute(resize, "cubic_coeff_a", op.cubic_coeff_a);
  set_attribute(resize, "exclude_outside", int64_t(op.exclude_outside));
  set_attribute(resize, "extrapolation_value", op.extrapolation_value);
  return true;
}

/// The shape of the result would not do: it may hold a symbolic batch.
bool NodeExport::add(const Expand &op) {
  inputs_.push_back(integers("shape", op.shape));
  return same("Expand");
}

} // namespace cnnc

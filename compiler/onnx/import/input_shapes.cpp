#include "compiler/onnx/import/input_shapes.h"

#include "compiler/onnx/import/node_order.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

/// A name for the batch that the text can spell without quotes.
std::string batch_name_of(const std::string &parameter) {
  std::string name;
  for (char c : parameter)
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_')
      name += c;
  return name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) ? "n" : name;
}

bool is_known(const onnx::TensorShapeProto::Dimension &dim) {
  return dim.has_dim_value() && dim.dim_value() >= 0;
}

/// "n x 3 x ? x ?" as the option would be spelt.
std::string spell(const onnx::TensorShapeProto &shape) {
  std::vector<std::string> dims;
  for (const onnx::TensorShapeProto::Dimension &dim : shape.dim())
    dims.push_back(is_known(dim)         ? std::to_string(dim.dim_value())
                   : dim.has_dim_param() ? printable(dim.dim_param())
                                         : "?");
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

} // namespace

bool InputShapes::fail(const onnx::ValueInfoProto &input, std::string message) {
  importer_.diagnostics().error(importer_.part(fmt::format("input '{}'", printable(input.name()))),
                                std::move(message));
  return false;
}

bool InputShapes::read_options() {
  bool ok = true;
  for (const std::string &option : options_.shapes)
    ok = read_option(option) && ok;
  return ok;
}

bool InputShapes::read_option(const std::string &option) {
  auto fail = [&](std::string message) {
    importer_.diagnostics().error(importer_.part(""),
                                  fmt::format("--shape {}: {}", printable(option), message));
    return false;
  };
  size_t equals = option.rfind('=');
  std::string name;
  if (equals != std::string::npos)
    name = option.substr(0, equals);
  else if (inputs_.size() == 1)
    name = inputs_.front()->name();
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto *input : inputs_)
    names.push_back(printable(input->name()));
  if (std::ranges::find(inputs_, name, &onnx::ValueInfoProto::name) == inputs_.end())
    return fail(
        equals == std::string::npos
            ? fmt::format("the model has {} inputs: write --shape NAME=1x3x224x224 with "
                          "one of '{}'",
                          names.size(), fmt::join(names, "', '"))
            : fmt::format("the model has no such input, only '{}'", fmt::join(names, "', '")));
  std::optional<Shape> shape =
      parse_dims(std::string_view(option).substr(equals == std::string::npos ? 0 : equals + 1));
  if (!shape)
    return fail("dimensions are numbers with x between them, as in 1x3x224x224; a name instead of "
                "the first one, as in nx3x224x224, is a batch of any size");
  return stated_.emplace(name, std::move(*shape)).second || fail("the input has two shapes");
}

std::optional<InputShapes::Shape> InputShapes::parse_dims(std::string_view text) {
  Shape shape;
  while (true) {
    std::string_view word = text.substr(0, text.find('x'));
    int64_t dim = 0;
    auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), dim);
    bool number = error == std::errc() && end == word.data() + word.size();
    if (number && dim > 0 && dim <= largest_dim) {
      shape.dims.push_back(dim);
    } else if (!number && shape.dims.empty() && !word.empty() &&
               batch_name_of(std::string(word)) == word) {
      shape.dims.push_back(symbolic_dim);
      shape.batch_name = word;
    } else {
      return std::nullopt;
    }
    if (word.size() == text.size())
      return shape;
    text.remove_prefix(word.size() + 1);
  }
}

/// The file's dimensions; only the first may be unknown.
std::optional<InputShapes::Shape> InputShapes::shape_in_file(const onnx::ValueInfoProto &input) {
  const onnx::TypeProto::Tensor &tensor = input.type().tensor_type();
  std::string option =
      inputs_.size() == 1 ? "--shape " : fmt::format("--shape {}=", printable(input.name()));
  if (!tensor.has_shape()) {
    fail(input, fmt::format("the file does not say its shape: say it with {}1x3x224x224", option));
    return std::nullopt;
  }
  Shape shape;
  std::string example;
  bool known = true;
  for (const onnx::TensorShapeProto::Dimension &dim : tensor.shape().dim()) {
    bool first = shape.dims.empty();
    bool batch = first && !is_known(dim);
    example += (first ? "" : "x") + (is_known(dim) ? std::to_string(dim.dim_value())
                                     : first       ? "1"
                                                   : "224");
    if (dim.has_dim_value() && dim.dim_value() > largest_dim) {
      fail(input, fmt::format("the dimension {} is larger than {}", dim.dim_value(), largest_dim));
      return std::nullopt;
    }
    known = known && (is_known(dim) || batch);
    shape.dims.push_back(batch ? symbolic_dim : dim.dim_value());
    if (batch)
      shape.batch_name = batch_name_of(dim.dim_param());
  }
  if (known)
    return shape;
  fail(input, fmt::format("its shape is {}, and only the first dimension may be unknown: say them "
                          "with {}{} (or whatever size it has)",
                          spell(tensor.shape()), option, example));
  return std::nullopt;
}

/// Does a shape of --shape agree with what the file says?
bool InputShapes::fits(const Shape &stated, const onnx::ValueInfoProto &input) {
  const onnx::TypeProto::Tensor &tensor = input.type().tensor_type();
  if (!tensor.has_shape())
    return true;
  bool fits = static_cast<size_t>(tensor.shape().dim_size()) == stated.dims.size();
  // A fixed batch may be changed: most models work with any.
  for (size_t i = 1; fits && i < stated.dims.size(); ++i) {
    const auto &dim = tensor.shape().dim(static_cast<int>(i));
    fits = !is_known(dim) || dim.dim_value() == stated.dims[i];
  }
  return fits ||
         fail(input, fmt::format("--shape says {}, but in the file it is {}",
                                 to_string(stated.dims, stated.batch_name), spell(tensor.shape())));
}

std::optional<TensorType> InputShapes::type_of(const onnx::ValueInfoProto &input) {
  if (!input.type().has_tensor_type()) {
    fail(input, "it is no tensor: sequences, maps and optional values are not supported");
    return std::nullopt;
  }
  int32_t onnx_type = input.type().tensor_type().elem_type();
  std::optional<DType> dtype = dtype_of(onnx_type);
  if (!dtype) {
    fail(input, fmt::format("elements of type {} are not supported, only FLOAT, FLOAT16, BFLOAT16, "
                            "DOUBLE, INT32, INT64, UINT8, INT8, INT16 and BOOL",
                            onnx_type_name(onnx_type)));
    return std::nullopt;
  }
  std::optional<Shape> shape;
  if (auto stated = stated_.find(input.name()); stated != stated_.end())
    shape = fits(stated->second, input) ? std::optional(stated->second) : std::nullopt;
  else
    shape = shape_in_file(input);
  if (!shape)
    return std::nullopt;
  if (*dtype == DType::f32 && onnx_type != onnx::TensorProto::FLOAT)
    importer_.remark(fmt::format("input '{}' of type {} is f32 in the compiled model",
                                 printable(input.name()), onnx_type_name(onnx_type)));
  return TensorType{*dtype, shape->dims, shape->batch_name, {}};
}

namespace {

/// "the shape [1, 3], not [1, 4] as the file says"; empty when they agree or the file says none.
std::string misfit(const onnx::ValueInfoProto &stated, const TensorType &type) {
  const onnx::TypeProto::Tensor &tensor = stated.type().tensor_type();
  if (!tensor.has_shape())
    return "";
  bool fits = static_cast<size_t>(tensor.shape().dim_size()) == type.rank();
  // The batch may be another one, with --shape.
  for (size_t i = 1; fits && i < type.rank(); ++i) {
    const auto &dim = tensor.shape().dim(static_cast<int>(i));
    fits = !is_known(dim) || dim.dim_value() == type.shape[i];
  }
  return fits ? ""
              : fmt::format("the shape {}, not {} as the file says",
                            to_string(type.shape, type.batch_name), spell(tensor.shape()));
}

} // namespace

StatedShapes::StatedShapes(const onnx::GraphProto &graph, Importer &importer)
    : importer_(importer) {
  for (const onnx::ValueInfoProto &info : graph.value_info())
    stated_.emplace(info.name(), &info);
}

void StatedShapes::check(const onnx::NodeProto &node, const std::string &output,
                         const TensorType &type) {
  auto stated = stated_.find(output);
  std::string difference = stated == stated_.end() ? "" : misfit(*stated->second, type);
  if (!difference.empty() && different_++ == 0)
    first_ =
        fmt::format("{}: its output '{}' has {}", describe(node), printable(output), difference);
}

void StatedShapes::remark() const {
  if (different_ == 1)
    importer_.remark(first_);
  else if (different_ > 1)
    importer_.remark(fmt::format("{}; {} other values differ, too", first_, different_ - 1));
}

void check_output(const onnx::ValueInfoProto &output, const TensorType &type, Importer &importer) {
  const onnx::TypeProto::Tensor &tensor = output.type().tensor_type();
  if (tensor.elem_type() != onnx::TensorProto::FLOAT && type.dtype == DType::f32 &&
      dtype_of(tensor.elem_type()) == DType::f32)
    importer.remark(fmt::format("output '{}' of type {} is f32 in the compiled model",
                                printable(output.name()), onnx_type_name(tensor.elem_type())));
  if (std::string difference = misfit(output, type); !difference.empty())
    importer.remark(fmt::format("output '{}' has {}", printable(output.name()), difference));
}

} // namespace cnnc

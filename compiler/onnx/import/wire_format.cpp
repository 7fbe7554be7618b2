// A copy of the file's bytes is made that lacks the large elements, and protobuf reads that. The
// wire format: https://protobuf.dev/programming-guides/encoding/
#include "compiler/onnx/import/wire_format.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <onnx/onnx_pb.h>

namespace cnnc {

namespace {

/// Elements of fewer bytes are left to protobuf.
constexpr uint64_t smallest_in_file = 1024;
/// Graphs are parts of nodes of graphs (If, Loop); protobuf reads no more messages in one another.
constexpr int deepest_message = 100;
/// What is left without them; far above any real network.
constexpr uint64_t largest_messages = uint64_t(1) << 30;

/// The messages on the way to elements.
enum class Kind { model, graph, node, attribute, tensor };

/// The message that a field of another holds, if it is on the way to elements.
std::optional<Kind> kind_of_field(Kind parent, uint64_t field) {
  switch (parent) {
  case Kind::model:
    return field == onnx::ModelProto::kGraphFieldNumber ? std::optional(Kind::graph) : std::nullopt;
  case Kind::graph:
    if (field == onnx::GraphProto::kInitializerFieldNumber)
      return Kind::tensor;
    return field == onnx::GraphProto::kNodeFieldNumber ? std::optional(Kind::node) : std::nullopt;
  case Kind::node:
    return field == onnx::NodeProto::kAttributeFieldNumber ? std::optional(Kind::attribute)
                                                           : std::nullopt;
  case Kind::attribute:
    if (field == onnx::AttributeProto::kTFieldNumber ||
        field == onnx::AttributeProto::kTensorsFieldNumber)
      return Kind::tensor;
    return field == onnx::AttributeProto::kGFieldNumber ||
                   field == onnx::AttributeProto::kGraphsFieldNumber
               ? std::optional(Kind::graph)
               : std::nullopt;
  case Kind::tensor:
    break;
  }
  return std::nullopt;
}

bool holds_elements(Kind kind, uint64_t field) {
  return kind == Kind::tensor && (field == onnx::TensorProto::kRawDataFieldNumber ||
                                  field == onnx::TensorProto::kFloatDataFieldNumber ||
                                  field == onnx::TensorProto::kDoubleDataFieldNumber);
}

constexpr uint64_t length_delimited = 2;

void put_varint(std::string &out, uint64_t value) {
  for (; value >= 128; value >>= 7)
    out += static_cast<char>(value % 128 + 128);
  out += static_cast<char>(value);
}

void put_field(std::string &out, uint64_t field, std::string_view content) {
  put_varint(out, field * 8 + length_delimited);
  put_varint(out, content.size());
  out += content;
}

class Trimmer {
public:
  explicit Trimmer(std::string_view file) : file_(file) {}

  /// The bytes of a message without elements; empty when they make no sense.
  std::optional<std::string> message(Kind kind, std::string_view bytes, int depth = 0) {
    std::string out;
    while (!bytes.empty())
      if (!field(kind, bytes, out, depth))
        return std::nullopt;
    return out;
  }

  /// The first byte that could not be read.
  size_t position() const { return position_; }

private:
  bool fail(std::string_view rest) {
    position_ = static_cast<size_t>(rest.data() - file_.data());
    return false;
  }

  static bool varint(std::string_view &bytes, uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
      auto byte = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      value |= uint64_t(byte % 128) << shift;
      if (byte < 128)
        return true;
    }
    return false;
  }

  /// The length of what follows a tag; for a length-delimited field after its length, which is
  /// taken off `bytes`.
  static std::optional<uint64_t> content_length(uint64_t wire_type, std::string_view &bytes) {
    uint64_t value = 0;
    std::string_view rest = bytes;
    switch (wire_type) {
    case 0:
      return varint(rest, value) ? std::optional(bytes.size() - rest.size()) : std::nullopt;
    case 1:
      return 8;
    case length_delimited:
      return varint(bytes, value) ? std::optional(value) : std::nullopt;
    case 5:
      return 4;
    default:
      return std::nullopt; // groups, which ONNX does not have
    }
  }

  bool field(Kind kind, std::string_view &bytes, std::string &out, int depth) {
    std::string_view start = bytes;
    uint64_t tag = 0;
    // Protobuf would read a larger tag as another field than is seen here.
    if (!varint(bytes, tag) || tag > std::numeric_limits<uint32_t>::max())
      return fail(start);
    std::optional<uint64_t> length = content_length(tag % 8, bytes);
    if (!length || *length > bytes.size())
      return fail(start);
    std::string_view content = bytes.substr(0, *length);
    bytes.remove_prefix(*length);
    uint64_t number = tag / 8;
    std::optional<Kind> inner = kind_of_field(kind, number);
    if (tag % 8 == length_delimited && inner) {
      if (depth == deepest_message)
        return fail(start);
      std::optional<std::string> trimmed = message(*inner, content, depth + 1);
      if (trimmed)
        put_field(out, number, *trimmed);
      return trimmed.has_value();
    }
    if (tag % 8 == length_delimited && holds_elements(kind, number) &&
        content.size() >= smallest_in_file)
      put_field(out, onnx::TensorProto::kDocStringFieldNumber,
                fmt::format("{} {} {}", number, content.data() - file_.data(), content.size()));
    else if (kind != Kind::tensor || number != onnx::TensorProto::kDocStringFieldNumber)
      out += start.substr(0, start.size() - bytes.size());
    return out.size() <= largest_messages || fail(start);
  }

  std::string_view file_;
  size_t position_ = 0;
};

} // namespace

std::optional<OnnxMessages> read_onnx(OnnxBytes file, const SourceRange &range,
                                      Diagnostics &diagnostics) {
  std::string_view bytes(reinterpret_cast<const char *>(file.bytes.data()), file.bytes.size());
  Trimmer trimmer(bytes);
  std::optional<std::string> messages = trimmer.message(Kind::model, bytes);
  if (!messages) {
    diagnostics.error(range, fmt::format("this is not an ONNX file, or it is damaged or cut short: "
                                         "of its {} bytes those from byte {} on make no sense",
                                         bytes.size(), trimmer.position()));
    return std::nullopt;
  }
  auto model = std::make_shared<onnx::ModelProto>();
  if (!model->ParseFromString(*messages)) {
    diagnostics.error(range, "this is not an ONNX file, or it is damaged: protobuf cannot read it");
    return std::nullopt;
  }
  return OnnxMessages{std::move(file), std::move(model)};
}

std::optional<ElementsInFile> elements_in_file(const onnx::TensorProto &tensor) {
  // The Trimmer has removed what the file itself says there.
  if (tensor.doc_string().empty())
    return std::nullopt;
  ElementsInFile result;
  const char *position = tensor.doc_string().data();
  const char *end = position + tensor.doc_string().size();
  auto read = [&](auto &number) {
    position = std::from_chars(position, end, number).ptr;
    position += position != end;
  };
  read(result.field);
  read(result.offset);
  read(result.length);
  return result;
}

} // namespace cnnc

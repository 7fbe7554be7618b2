// The generated C header of a model.
#include "compiler/codegen/model_table.h"

#include "ir/type/dtype.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace cnnc::codegen {

namespace {

// ASCII only, whatever the locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Words that cannot name a parameter in C11 or C++20, or that compilers and headers define as
/// macros, and the names that the wrapper itself uses.
const std::set<std::string_view> &reserved_words() {
  static const std::set<std::string_view> words = {"alignas",
                                                   "alignof",
                                                   "and",
                                                   "and_eq",
                                                   "asm",
                                                   "auto",
                                                   "bitand",
                                                   "bitor",
                                                   "bool",
                                                   "break",
                                                   "case",
                                                   "catch",
                                                   "char",
                                                   "char16_t",
                                                   "char32_t",
                                                   "char8_t",
                                                   "class",
                                                   "co_await",
                                                   "co_return",
                                                   "co_yield",
                                                   "compl",
                                                   "concept",
                                                   "const",
                                                   "const_cast",
                                                   "consteval",
                                                   "constexpr",
                                                   "constinit",
                                                   "continue",
                                                   "context",
                                                   "decltype",
                                                   "default",
                                                   "delete",
                                                   "do",
                                                   "double",
                                                   "dynamic_cast",
                                                   "else",
                                                   "enum",
                                                   "explicit",
                                                   "export",
                                                   "extern",
                                                   "false",
                                                   "float",
                                                   "for",
                                                   "friend",
                                                   "goto",
                                                   "if",
                                                   "inline",
                                                   "inputs",
                                                   "int",
                                                   "linux",
                                                   "long",
                                                   "mutable",
                                                   "namespace",
                                                   "new",
                                                   "noexcept",
                                                   "not",
                                                   "not_eq",
                                                   "nullptr",
                                                   "operator",
                                                   "or",
                                                   "or_eq",
                                                   "outputs",
                                                   "private",
                                                   "protected",
                                                   "public",
                                                   "register",
                                                   "reinterpret_cast",
                                                   "requires",
                                                   "restrict",
                                                   "return",
                                                   "short",
                                                   "signed",
                                                   "sizeof",
                                                   "state",
                                                   "static",
                                                   "static_assert",
                                                   "static_cast",
                                                   "struct",
                                                   "switch",
                                                   "template",
                                                   "this",
                                                   "thread_local",
                                                   "throw",
                                                   "true",
                                                   "try",
                                                   "typedef",
                                                   "typeid",
                                                   "typename",
                                                   "typeof",
                                                   "union",
                                                   "unix",
                                                   "unsigned",
                                                   "using",
                                                   "virtual",
                                                   "void",
                                                   "volatile",
                                                   "wchar_t",
                                                   "while",
                                                   "workspace",
                                                   "xor",
                                                   "xor_eq",
                                                   "EOF",
                                                   "NULL"};
  return words;
}

std::string_view c_type(cnnc_dtype dtype) { return info_of(static_cast<DType>(dtype)).c; }

/// A name inside a comment: one line that cannot end the comment or start another.
std::string comment_text(std::string_view text) {
  std::string result(text);
  for (char &c : result)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f' || c == '*' || c == '\\')
      c = '_';
  return result;
}

/// A parameter of NAME_run.
struct Parameter {
  const TensorDescription *tensor;
  std::string identifier;
};

std::vector<Parameter> name_parameters(const std::vector<TensorDescription> &tensors,
                                       std::set<std::string> &used) {
  std::vector<Parameter> parameters;
  for (const TensorDescription &tensor : tensors) {
    std::string base = c_identifier(tensor.name);
    std::string identifier = base;
    for (int i = 2; reserved_words().contains(identifier) || used.contains(identifier); ++i)
      identifier = fmt::format("{}_{}", base, i);
    used.insert(identifier);
    parameters.push_back({&tensor, identifier});
  }
  return parameters;
}

std::string describe(const Parameter &parameter, const char *role) {
  std::vector<std::string> shape;
  bool symbolic = false;
  for (int64_t dimension : parameter.tensor->shape) {
    symbolic |= dimension == CNNC_SYMBOLIC_BATCH;
    shape.push_back(dimension == CNNC_SYMBOLIC_BATCH ? "batch" : std::to_string(dimension));
  }
  return fmt::format("     {}: {} '{}', {}[{}], {} bytes{}\n", parameter.identifier, role,
                     comment_text(parameter.tensor->name), c_type(parameter.tensor->dtype),
                     fmt::join(shape, ", "), parameter.tensor->size, symbolic ? " per image" : "");
}

std::string list_of(const std::vector<Parameter> &parameters) {
  std::vector<std::string> names;
  for (const Parameter &parameter : parameters)
    names.push_back(parameter.identifier);
  return names.empty() ? "NULL" : fmt::format("{}", fmt::join(names, ", "));
}

std::string upper_case(std::string text) {
  for (char &c : text)
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// Names that parameters of NAME_run and NAME_step cannot have, as their bodies use them.
std::set<std::string> names_in_use(const std::string &name) {
  return {name + "_model", name + "_run", "cnnc_context", "cnnc_status",          "int32_t",
          "int64_t",       "uint8_t",     "size_t",       "cnnc_labels_are_valid"};
}

constexpr char about_workspace[] =
    "     workspace: {0}_WORKSPACE_SIZE bytes, {0}_WORKSPACE_PER_THREAD more for every "
    "further thread,\n     aligned to {0}_WORKSPACE_ALIGNMENT, or NULL\n     context: settings "
    "of the call, or NULL\n";

std::string write_wrapper(const std::string &name, const ModelDescription &description) {
  std::set<std::string> used = names_in_use(name);
  std::vector<Parameter> inputs = name_parameters(description.inputs, used);
  std::vector<Parameter> outputs = name_parameters(description.outputs, used);
  std::string text = "/* Runs the model. Tensors are dense and row-major.\n";
  std::vector<std::string> parameters;
  for (const Parameter &input : inputs) {
    text += describe(input, "input");
    parameters.push_back(
        fmt::format("const {} *{}", c_type(input.tensor->dtype), input.identifier));
  }
  for (const Parameter &output : outputs) {
    text += describe(output, "output");
    parameters.push_back(fmt::format("{} *{}", c_type(output.tensor->dtype), output.identifier));
  }
  text += fmt::format(about_workspace, upper_case(name));
  if (description.symbolic_batch)
    text += "       for a batch of 4: cnnc_context context = {0}; context.batch = 4;\n";
  text += "   Returns CNNC_OK, CNNC_INVALID_ARGUMENT, CNNC_OUT_OF_MEMORY, CNNC_UNSUPPORTED_CPU,\n"
          "   CNNC_INVALID_BATCH or CNNC_FIXED_BATCH; cnnc_status_text() says what they mean. */\n";
  parameters.push_back("void *workspace");
  parameters.push_back("const cnnc_context *context");
  text += fmt::format("static inline cnnc_status {}_run({}) {{\n", name,
                      fmt::join(parameters, ",\n    "));
  text += fmt::format("  const void *const inputs[] = {{{}}};\n", list_of(inputs));
  text += fmt::format("  void *const outputs[] = {{{}}};\n", list_of(outputs));
  text += fmt::format("  return {}_model()->run(inputs, outputs, workspace, context);\n}}\n", name);
  return text;
}

/// The state of a training step, in the order of its inputs.
class StateWriter {
public:
  StateWriter(const std::string &name, const ModelDescription &model) : name_(name), model_(model) {
    std::vector<bool> updated(model.inputs.size(), false);
    for (const TensorDescription &output : model.outputs)
      if (output.updates)
        updated[*output.updates] = true;
    offsets_.resize(model.inputs.size());
    for (size_t i = 0; i < updated.size(); ++i)
      if (updated[i]) {
        offsets_[i] = size_;
        size_ += (model.inputs[i].size + alignment - 1) / alignment * alignment;
      }
  }

  std::string write() const { return write_layout() + "\n" + write_step(); }

private:
  static constexpr uint64_t alignment = 64;

  /// A literal of C, whatever the name is.
  static std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (char c : text) {
      const bool plain = c >= ' ' && c < '\x7f' && c != '"' && c != '\\' && c != '?';
      result += plain
                    ? std::string(1, c)
                    : fmt::format("\\{:03o}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return result + '"';
  }

  std::string write_layout() const {
    std::string shapes, tensors;
    size_t count = 0;
    for (size_t i = 0; i < model_.inputs.size(); ++i) {
      if (!offsets_[i])
        continue;
      const TensorDescription &tensor = model_.inputs[i];
      std::string shape =
          tensor.shape.empty() ? "NULL" : fmt::format("{}_state_shape{}", name_, count);
      if (!tensor.shape.empty())
        shapes += fmt::format("static const int64_t {}[] = {{{}}};\n", shape,
                              fmt::join(tensor.shape, ", "));
      tensors += fmt::format("    {{{}, {}, {}, {}, {}, {}, {}}},\n", quoted(tensor.name),
                             dtype_name(tensor.dtype), tensor.shape.size(), shape, tensor.size,
                             *offsets_[i], starts_at_zero(tensor.name) ? 0 : 1);
      ++count;
    }
    return fmt::format(
        "\n/* The state of a training step: the memory that every call of {0}_step\n"
        "   updates, and cnnc_state_read() and cnnc_state_write() know as a file. */\n"
        "#define {1}_STATE_SIZE ((size_t){2})\n"
        "{3}static const cnnc_state_tensor {0}_state_tensors[] = {{\n{4}}};\n"
        "static const cnnc_state_layout {0}_state = {{{5}, {6}, {0}_state_tensors,\n"
        "    {1}_STATE_SIZE}};\n",
        name_, upper_case(name_), size_, shapes, tensors, quoted(model_.name), count);
  }

  /// The checks come first: a null state has no tensors in it.
  std::string write_step() const {
    std::set<std::string> used = names_in_use(name_);
    used.insert({name_ + "_step", name_ + "_state", name_ + "_state_tensors"});
    const std::vector<Parameter> inputs = name_parameters(model_.inputs, used);
    const std::vector<Parameter> outputs = name_parameters(model_.outputs, used);
    std::vector<std::string> parameters, read, written;
    std::string text = "/* One step of the training: reads and updates the state.\n", labels;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto &[tensor, identifier] = inputs[i];
      const bool scalar = tensor->shape.empty();
      read.push_back(offsets_[i] ? in_state(*offsets_[i]) : (scalar ? "&" : "") + identifier);
      if (offsets_[i])
        continue;
      text += scalar ? fmt::format("     {}: input '{}', a number\n", identifier,
                                   comment_text(tensor->name))
                     : describe(inputs[i], "input");
      parameters.push_back(fmt::format("{}{} {}{}", scalar ? "" : "const ", c_type(tensor->dtype),
                                       scalar ? "" : "*", identifier));
      if (tensor->name == "labels" && tensor->dtype == CNNC_I64 && !scalar &&
          model_.label_count > 0)
        labels = fmt::format("  if (!cnnc_labels_are_valid({}, {}, {}))\n"
                             "    return CNNC_INVALID_LABEL;\n",
                             identifier, tensor->size / sizeof(int64_t), model_.label_count);
    }
    text += fmt::format("     state: {}_STATE_SIZE bytes\n", upper_case(name_));
    parameters.push_back("void *state");
    for (const Parameter &output : outputs) {
      const std::optional<uint32_t> &input = output.tensor->updates;
      written.push_back(input ? in_state(*offsets_[*input]) : output.identifier);
      if (input)
        continue;
      text += describe(output, "output");
      parameters.push_back(fmt::format("{} *{}", c_type(output.tensor->dtype), output.identifier));
    }
    text += fmt::format(about_workspace, upper_case(name_));
    text += fmt::format("   Returns what {}_run returns{}. */\n", name_,
                        labels.empty() ? "" : ", or CNNC_INVALID_LABEL before anything is changed");
    parameters.push_back("void *workspace");
    parameters.push_back("const cnnc_context *context");
    text += fmt::format("static inline cnnc_status {}_step({}) {{\n", name_,
                        fmt::join(parameters, ",\n    "));
    text += "  if (!state)\n    return CNNC_INVALID_ARGUMENT;\n" + labels;
    text += fmt::format("  const void *const inputs[] = {{{}}};\n", fmt::join(read, ",\n    "));
    text += fmt::format("  void *const outputs[] = {{{}}};\n", fmt::join(written, ",\n    "));
    return text +
           fmt::format("  return {}_model()->run(inputs, outputs, workspace, context);\n}}\n",
                       name_);
  }

  static std::string in_state(uint64_t offset) {
    return fmt::format("(unsigned char *)state + {}", offset);
  }

  static std::string_view dtype_name(cnnc_dtype dtype) {
    return info_of(static_cast<DType>(dtype)).runtime;
  }

  const std::string &name_;
  const ModelDescription &model_;
  std::vector<std::optional<uint64_t>> offsets_; // of each input, in the state
  uint64_t size_ = 0;
};

} // namespace

bool starts_at_zero(std::string_view tensor) {
  return tensor == "step" || tensor.ends_with(".momentum") || tensor.ends_with(".first_moment") ||
         tensor.ends_with(".second_moment");
}

bool has_state(const ModelDescription &description) {
  return std::ranges::any_of(description.outputs, [](const TensorDescription &output) {
    return output.updates.has_value();
  });
}

std::string c_identifier(std::string_view name) {
  std::string result(name);
  for (char &c : result)
    if (!is_letter(c) && !is_digit(c))
      c = '_';
  if (result.empty() || is_digit(result.front()))
    result.insert(0, "t");
  if (result.front() == '_') // names with leading underscores belong to the C implementation
    result.insert(0, "t");
  return result;
}

std::string write_header(const ModelDescription &description) {
  std::string name = c_identifier(description.name);
  std::string upper = upper_case(name);
  std::string text =
      fmt::format("/* The model '{}', compiled by cnnc for {}. */\n"
                  "#ifndef {}_MODEL_H\n#define {}_MODEL_H\n\n"
                  "#include \"cnnc_{}.h\"\n\n"
                  "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n",
                  comment_text(description.name), comment_text(description.target.cpu), upper,
                  upper, has_state(description) ? "training" : "runtime");
  text +=
      "/* Workspace for one thread, and more for every further one: cnnc_workspace_size(). */\n";
  text +=
      fmt::format("#define {}_WORKSPACE_SIZE ((size_t){})\n", upper, description.workspace_size);
  text += fmt::format("#define {}_WORKSPACE_PER_THREAD ((size_t){})\n", upper,
                      description.workspace_per_thread);
  text += fmt::format("#define {}_WORKSPACE_ALIGNMENT ((size_t){})\n\n", upper,
                      description.workspace_alignment);
  text +=
      fmt::format("/* The table that describes the model: tensors, kernels, workspace, run. */\n"
                  "const cnnc_model_v1 *{}_model(void);\n\n",
                  name);
  text += write_wrapper(name, description);
  if (has_state(description))
    text += StateWriter(name, description).write();
  text += fmt::format("\n#ifdef __cplusplus\n}}\n#endif\n#endif\n");
  return text;
}

} // namespace cnnc::codegen

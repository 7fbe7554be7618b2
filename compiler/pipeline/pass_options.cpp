#include "compiler/pipeline/pass_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cnnc {

namespace {

/// A number of which a condition holds.
template <class Holds> bool read_number(const std::string &text, double &number, Holds holds) {
  double value = 0;
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !holds(value))
    return false;
  number = value;
  return true;
}

bool is_positive(double value) { return value > 0; }
bool is_not_negative(double value) { return value >= 0; }
bool is_fraction(double value) { return value >= 0 && value <= 1; }

/// One of some words, in the order of the enumeration.
template <class Enum, size_t count>
bool read_word(const std::string &text, const std::array<std::string_view, count> &words,
               Enum &value) {
  const auto found = std::ranges::find(words, text);
  if (found != words.end())
    value = static_cast<Enum>(found - words.begin());
  return found != words.end();
}

constexpr std::array<std::string_view, 2> switches = {"false", "true"};
constexpr std::array<std::string_view, 4> losses = {"automatic", "cross_entropy",
                                                    "mean_squared_error", "binary_cross_entropy"};
constexpr std::array<std::string_view, 2> optimizers = {"sgd", "adamw"};

bool add_pattern(std::vector<std::string> &patterns, const std::string &pattern) {
  if (!pattern.empty())
    patterns.push_back(pattern);
  return !pattern.empty();
}

constexpr PassOption of_choose_algorithms[] = {
    {"max_error", "a positive number",
     [](PassContext &context, const std::string &value) {
       return read_number(value, context.max_error, is_positive);
     }},
    {"strict", "true or false",
     [](PassContext &context, const std::string &value) {
       return read_word(value, switches, context.strict_arithmetic);
     }},
};

constexpr PassOption of_narrow_weights[] = {
    {"type", "f32, bf16 or f16",
     [](PassContext &context, const std::string &value) {
       const std::optional<DType> dtype = dtype_named(value);
       if (!dtype || (*dtype != DType::f32 && !is_narrow(*dtype)))
         return false;
       context.weights_type = *dtype;
       return true;
     }},
};

constexpr PassOption loss = {"loss",
                             "automatic, cross_entropy, mean_squared_error or binary_cross_entropy",
                             [](PassContext &context, const std::string &value) {
                               return read_word(value, losses, context.gradients.loss);
                             }};

constexpr PassOption label_smoothing = {
    "label_smoothing", "a number from 0 to below 1",
    [](PassContext &context, const std::string &value) {
      return read_number(value, context.gradients.label_smoothing,
                         [](double number) { return number >= 0 && number < 1; });
    }};

constexpr PassOption of_differentiate[] = {
    loss,
    label_smoothing,
    {"of", "a name with * and ?, repeatable",
     [](PassContext &context, const std::string &value) {
       return add_pattern(context.gradients.of, value);
     }},
};

constexpr PassOption of_make_training_step[] = {
    loss,
    label_smoothing,
    {"optimizer", "sgd or adamw",
     [](PassContext &context, const std::string &value) {
       return read_word(value, optimizers, context.gradients.optimizer.kind);
     }},
    {"momentum", "a number from 0 to 1",
     [](PassContext &context, const std::string &value) {
       return read_number(value, context.gradients.optimizer.momentum, is_fraction);
     }},
    {"weight_decay", "a number, not negative",
     [](PassContext &context, const std::string &value) {
       return read_number(value, context.gradients.optimizer.weight_decay, is_not_negative);
     }},
    {"freeze", "a name with * and ?, repeatable",
     [](PassContext &context, const std::string &value) {
       return add_pattern(context.gradients.optimizer.freeze, value);
     }},
};

bool report_option(const Pass &pass, const std::string &name, Diagnostics &diagnostics) {
  std::vector<std::string_view> known;
  for (const PassOption &option : pass.options)
    known.push_back(option.name);
  diagnostics.error(known.empty() ? fmt::format("{} has no options, hence no '{}'", pass.name, name)
                                  : fmt::format("{} has no option '{}'; it has {}", pass.name, name,
                                                fmt::join(known, ", ")));
  return false;
}

bool set_option(const Pass &pass, const std::string &setting, PassContext &context) {
  const size_t equals = setting.find('=');
  const std::string name = setting.substr(0, equals);
  const auto option = std::ranges::find_if(
      pass.options, [&](const PassOption &candidate) { return candidate.name == name; });
  if (option == pass.options.end())
    return report_option(pass, name, context.diagnostics);
  const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
  if (option->set(context, value))
    return true;
  context.diagnostics.error(
      fmt::format("'{}' of {} must be {}, not '{}'", name, pass.name, option->values, value));
  return false;
}

} // namespace

const std::span<const PassOption> algorithm_options = of_choose_algorithms;
const std::span<const PassOption> weights_options = of_narrow_weights;
const std::span<const PassOption> gradient_options = of_differentiate;
const std::span<const PassOption> training_options = of_make_training_step;

bool set_pass_options(const Pass &pass, const std::string &settings, PassContext &context) {
  size_t begin = 0;
  do {
    const size_t end = std::min(settings.find(':', begin), settings.size());
    if (!set_option(pass, settings.substr(begin, end - begin), context))
      return false;
    begin = end + 1;
  } while (begin <= settings.size());
  return true;
}

} // namespace cnnc

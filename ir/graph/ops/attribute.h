// Typed attributes of ops: how a field of an op's struct is named, read, written and spelt in text.
#pragma once

#include "ir/type/type.h"

#include <functional>
#include <variant>

namespace cnnc {

/// An attribute as the text has it. Words are enumerators such as `reflect`.
struct Word {
  std::string text;
  bool operator==(const Word &) const = default;
};
using AttributeValue = std::variant<bool, int64_t, double, std::string, Word, std::vector<int64_t>,
                                    std::vector<double>>;

std::string to_string(const AttributeValue &value);

/// Binds a name to a field: `Attribute{"stride", &Conv2d::stride}`.
template <class Op, class Field> struct Attribute {
  std::string_view name;
  Field Op::*field;
  bool required = false;
};
template <class Op, class Field> Attribute(std::string_view, Field Op::*) -> Attribute<Op, Field>;
template <class Op, class Field>
Attribute(std::string_view, Field Op::*, bool) -> Attribute<Op, Field>;

/// An enumeration used as an attribute specialises this with its words in the order of its values.
template <class Enum> struct Words;

/// How one C++ field type converts from and to AttributeValue. `read` leaves the field alone and
/// returns false when the kind of value or the number of elements does not fit.
template <class Field> struct AttributeType {
  static_assert(std::is_enum_v<Field>);
  static std::string description() {
    std::string result;
    for (std::string_view word : Words<Field>::words)
      result += (result.empty() ? "" : " | ") + std::string(word);
    return result;
  }
  static bool read(const AttributeValue &value, Field &field) {
    const Word *word = std::get_if<Word>(&value);
    for (size_t i = 0; word && i < Words<Field>::words.size(); ++i)
      if (Words<Field>::words[i] == word->text) {
        field = static_cast<Field>(i);
        return true;
      }
    return false;
  }
  static AttributeValue write(const Field &field) {
    return Word{std::string(Words<Field>::words[static_cast<size_t>(field)])};
  }
};

template <> struct AttributeType<bool> {
  static std::string description() { return "true | false"; }
  static bool read(const AttributeValue &value, bool &field) {
    const bool *b = std::get_if<bool>(&value);
    return b ? (field = *b, true) : false;
  }
  static AttributeValue write(bool field) { return field; }
};

template <> struct AttributeType<int64_t> {
  static std::string description() { return "an integer"; }
  static bool read(const AttributeValue &value, int64_t &field) {
    const int64_t *i = std::get_if<int64_t>(&value);
    return i ? (field = *i, true) : false;
  }
  static AttributeValue write(int64_t field) { return field; }
};

template <> struct AttributeType<double> {
  static std::string description() { return "a number"; }
  static bool read(const AttributeValue &value, double &field) {
    if (const int64_t *i = std::get_if<int64_t>(&value))
      return field = static_cast<double>(*i), true;
    const double *d = std::get_if<double>(&value);
    return d ? (field = *d, true) : false;
  }
  static AttributeValue write(double field) { return field; }
};

template <> struct AttributeType<std::string> {
  static std::string description() { return "a string"; }
  static bool read(const AttributeValue &value, std::string &field) {
    const std::string *s = std::get_if<std::string>(&value);
    return s ? (field = *s, true) : false;
  }
  static AttributeValue write(const std::string &field) { return field; }
};

template <> struct AttributeType<std::vector<int64_t>> {
  static std::string description() { return "a list of integers"; }
  static bool read(const AttributeValue &value, std::vector<int64_t> &field) {
    const auto *list = std::get_if<std::vector<int64_t>>(&value);
    return list ? (field = *list, true) : false;
  }
  static AttributeValue write(const std::vector<int64_t> &field) { return field; }
};

template <> struct AttributeType<std::vector<double>> {
  static std::string description() { return "a list of numbers"; }
  static bool read(const AttributeValue &value, std::vector<double> &field) {
    if (const auto *integers = std::get_if<std::vector<int64_t>>(&value))
      return field.assign(integers->begin(), integers->end()), true;
    const auto *list = std::get_if<std::vector<double>>(&value);
    return list ? (field = *list, true) : false;
  }
  static AttributeValue write(const std::vector<double> &field) { return field; }
};

template <size_t N> struct AttributeType<std::array<int64_t, N>> {
  static std::string description() { return "a list of " + std::to_string(N) + " integers"; }
  static bool read(const AttributeValue &value, std::array<int64_t, N> &field) {
    const auto *list = std::get_if<std::vector<int64_t>>(&value);
    if (!list || list->size() != N)
      return false;
    std::copy(list->begin(), list->end(), field.begin());
    return true;
  }
  static AttributeValue write(const std::array<int64_t, N> &field) {
    return std::vector<int64_t>(field.begin(), field.end());
  }
};

} // namespace cnnc

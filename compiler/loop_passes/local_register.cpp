#include "compiler/loop_passes/local_register.h"

#include "ir/loop/rewrite.h"

namespace cnnc {

namespace {

bool holds_integers(const loop::Kernel &kernel, const std::string &name) {
  for (const std::vector<loop::Buffer> *buffers : {&kernel.outputs, &kernel.locals})
    for (const loop::Buffer &buffer : *buffers)
      if (buffer.name == name)
        return is_integer(buffer.dtype);
  return false;
}

/// Whether every statement that reads the local copies it to a buffer of integers.
bool is_only_copied(const loop::Kernel &kernel, const loop::Buffer &local,
                    std::span<const loop::Statement> readers) {
  bool result = true;
  loop::for_each_statement(readers, [&](const loop::Statement &statement) {
    const auto *assign = std::get_if<loop::Assign>(&statement.node);
    if (!assign || !loop::reads(std::span(&statement, 1)).contains(local.name))
      return;
    const bool copy = assign->value.kind == loop::Expression::Kind::load && !assign->accumulate;
    result = result && copy && holds_integers(kernel, assign->target.buffer);
  });
  return result;
}

} // namespace

DType register_of(const loop::Kernel &kernel, const loop::Buffer &local,
                  std::span<const loop::Statement> readers) {
  const bool short_integer = is_integer(local.dtype) && size_of(local.dtype) < 4;
  return short_integer && is_only_copied(kernel, local, readers) ? DType::i32
                                                                 : loop::register_type(local.dtype);
}

} // namespace cnnc

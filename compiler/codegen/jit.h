// Runs compiled objects inside this process: the same machine code as in a shared library.
#pragma once

#include "compiler/codegen/object.h"
#include "runtime/cnnc_runtime.h"

#include <memory>
#include <span>
#include <string>

namespace cnnc::codegen {

/// A model loaded into this process. Any number may exist at a time; a model must not be running
/// when it is destroyed.
class JitModel {
public:
  /// `objects`: the kernels and the model table (copied). `exported_symbol`: model_symbol().
  /// `weights`: the model's constants, aligned to `weights_alignment`; they must outlive the model.
  static std::unique_ptr<JitModel> create(std::span<const ObjectCode> objects,
                                          const std::string &exported_symbol, const void *weights,
                                          Diagnostics &diagnostics);
  ~JitModel();
  JitModel(const JitModel &) = delete;
  JitModel &operator=(const JitModel &) = delete;

  const cnnc_model_v1 *model() const { return model_; }

private:
  struct Session;
  explicit JitModel(std::unique_ptr<Session> session);

  std::unique_ptr<Session> session_;
  const cnnc_model_v1 *model_ = nullptr;
};

} // namespace cnnc::codegen

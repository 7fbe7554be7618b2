// What the tests of code generation share.
#pragma once

#include "compiler/codegen/target/target.h"

#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/SourceMgr.h>
#include <memory>
#include <string>

namespace cnnc::codegen {

inline Target native_target() {
  Diagnostics diagnostics;
  return *resolve_target("", "", diagnostics);
}

inline std::unique_ptr<llvm::Module> parse_ir(const std::string &text, llvm::LLVMContext &context) {
  llvm::SMDiagnostic error;
  auto module = llvm::parseAssemblyString(text, error, context);
  EXPECT_NE(module, nullptr) << error.getMessage().str();
  return module;
}

} // namespace cnnc::codegen

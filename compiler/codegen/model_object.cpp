#include "compiler/codegen/model_object.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Object/ObjectFile.h>

namespace cnnc::codegen {

std::optional<ObjectCode> compile_model_table(const ModelDescription &description,
                                              Diagnostics &diagnostics) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = build_model_table(context, description, diagnostics);
  if (!module)
    return std::nullopt;
  std::optional<CompiledObject> object =
      compile_to_object(*module, description.target, diagnostics);
  if (!object)
    return std::nullopt;
  return std::move(object->code);
}

uint64_t code_size(const ObjectCode &object) {
  llvm::MemoryBufferRef buffer(llvm::StringRef(object.data(), object.size()), "object");
  llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> file =
      llvm::object::ObjectFile::createObjectFile(buffer);
  if (!file) {
    llvm::consumeError(file.takeError());
    return 0;
  }
  uint64_t size = 0;
  for (const llvm::object::SectionRef &section : (*file)->sections())
    if (section.isText())
      size += section.getSize();
  return size;
}

} // namespace cnnc::codegen

#include "compiler/codegen/model_table.h"

#include "compiler/codegen/target/llvm_target.h"
#include "compiler/codegen/weights_object.h"

#include <cstddef>
#include <initializer_list>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

namespace cnnc::codegen {

namespace {

/// A field of a C struct: where C puts it, and its value.
struct Field {
  size_t offset;
  llvm::Constant *value;
};

/// Builds the constants. Everything is internal to the module but NAME_model.
class TableBuilder {
public:
  TableBuilder(llvm::Module &module, const ModelDescription &description)
      : module_(module), context_(module.getContext()), description_(description),
        pointer_(llvm::PointerType::get(context_, 0)) {}

  void build();
  bool matches_runtime() const { return matches_runtime_; }

private:
  llvm::Constant *i32(uint32_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context_), value);
  }
  llvm::Constant *i64(uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context_), value);
  }
  llvm::Constant *record(size_t size, std::initializer_list<Field> fields);
  llvm::GlobalVariable *global(llvm::Constant *value, const char *name);
  llvm::Constant *array(llvm::Type *type, const std::vector<llvm::Constant *> &values,
                        const char *name);
  llvm::Constant *string(const std::string &text);
  llvm::Constant *external(std::string_view name);
  llvm::Constant *kernel(const std::string &symbol);
  llvm::Constant *tensors(const std::vector<TensorDescription> &tensors, const char *name);
  llvm::Constant *kernel_names();
  llvm::Constant *program_state();
  llvm::Constant *program(llvm::Constant *model);
  /// The functions of the model's table, which call those of the runtime with the program in front.
  struct Calls {
    llvm::Function *run, *prepare, *release;
  };
  llvm::Constant *model(const Calls &calls);
  void define_call(llvm::Function *call, llvm::StringRef callee, llvm::Constant *program);
  llvm::Function *function(llvm::Type *result, std::initializer_list<llvm::Type *> parameters,
                           const std::string &name, llvm::GlobalValue::LinkageTypes linkage);

  llvm::Module &module_;
  llvm::LLVMContext &context_;
  const ModelDescription &description_;
  llvm::PointerType *pointer_;
  bool matches_runtime_ = true;
};

/// A struct constant, checked against the layout that the C compiler gave the struct: the runtime
/// reads the table as runtime/program.h declares it.
llvm::Constant *TableBuilder::record(size_t size, std::initializer_list<Field> fields) {
  std::vector<llvm::Constant *> values;
  for (const Field &field : fields)
    values.push_back(field.value);
  llvm::Constant *result = llvm::ConstantStruct::getAnon(context_, values);
  const llvm::StructLayout *layout =
      module_.getDataLayout().getStructLayout(llvm::cast<llvm::StructType>(result->getType()));
  matches_runtime_ = matches_runtime_ && layout->getSizeInBytes() == size;
  for (unsigned i = 0; i < values.size(); ++i)
    matches_runtime_ = matches_runtime_ && layout->getElementOffset(i) == fields.begin()[i].offset;
  return result;
}

llvm::GlobalVariable *TableBuilder::global(llvm::Constant *value, const char *name) {
  return new llvm::GlobalVariable(module_, value->getType(), true,
                                  llvm::GlobalValue::InternalLinkage, value, name);
}

llvm::Constant *TableBuilder::array(llvm::Type *type, const std::vector<llvm::Constant *> &values,
                                    const char *name) {
  return global(llvm::ConstantArray::get(llvm::ArrayType::get(type, values.size()), values), name);
}

llvm::Constant *TableBuilder::string(const std::string &text) {
  llvm::GlobalVariable *variable =
      global(llvm::ConstantDataArray::getString(context_, text), "text");
  variable->setLinkage(llvm::GlobalValue::PrivateLinkage);
  variable->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return variable;
}

llvm::Constant *TableBuilder::external(std::string_view name) {
  auto *variable =
      new llvm::GlobalVariable(module_, llvm::Type::getInt8Ty(context_), true,
                               llvm::GlobalValue::ExternalLinkage, nullptr, llvm::StringRef(name));
  variable->setVisibility(llvm::GlobalValue::HiddenVisibility);
  return variable;
}

llvm::Constant *TableBuilder::kernel(const std::string &symbol) {
  if (llvm::Function *known = module_.getFunction(symbol))
    return known;
  llvm::Function *declared = function(llvm::Type::getVoidTy(context_), {pointer_, pointer_}, symbol,
                                      llvm::GlobalValue::ExternalLinkage);
  declared->setVisibility(llvm::GlobalValue::HiddenVisibility);
  return declared;
}

llvm::Function *TableBuilder::function(llvm::Type *result,
                                       std::initializer_list<llvm::Type *> parameters,
                                       const std::string &name,
                                       llvm::GlobalValue::LinkageTypes linkage) {
  auto *type = llvm::FunctionType::get(result, llvm::ArrayRef(parameters), false);
  return llvm::Function::Create(type, linkage, name, module_);
}

llvm::Constant *TableBuilder::tensors(const std::vector<TensorDescription> &tensors,
                                      const char *name) {
  std::vector<llvm::Constant *> values;
  for (const TensorDescription &tensor : tensors) {
    std::vector<llvm::Constant *> shape;
    for (int64_t dimension : tensor.shape)
      shape.push_back(i64(static_cast<uint64_t>(dimension)));
    values.push_back(record(
        sizeof(cnnc_tensor_v1),
        {{offsetof(cnnc_tensor_v1, name), string(tensor.name)},
         {offsetof(cnnc_tensor_v1, dtype), i32(tensor.dtype)},
         {offsetof(cnnc_tensor_v1, rank), i32(static_cast<uint32_t>(shape.size()))},
         {offsetof(cnnc_tensor_v1, shape), array(llvm::Type::getInt64Ty(context_), shape, "shape")},
         {offsetof(cnnc_tensor_v1, size), i64(tensor.size)}}));
  }
  llvm::Type *type = values.empty() ? llvm::Type::getInt8Ty(context_) : values.front()->getType();
  return array(type, values, name);
}

llvm::Constant *TableBuilder::kernel_names() {
  std::vector<llvm::Constant *> names;
  for (const StepDescription &step : description_.steps)
    names.push_back(string(step.name));
  return array(pointer_, names, "kernel_names");
}

/// Zeros that the runtime writes to.
llvm::Constant *TableBuilder::program_state() {
  auto *type = llvm::ArrayType::get(pointer_, sizeof(cnnc_program_state) / sizeof(void *));
  static_assert(sizeof(cnnc_program_state) % sizeof(void *) == 0);
  return new llvm::GlobalVariable(module_, type, false, llvm::GlobalValue::InternalLinkage,
                                  llvm::ConstantAggregateZero::get(type), "state");
}

llvm::Constant *TableBuilder::program(llvm::Constant *model) {
  std::vector<llvm::Constant *> buffers;
  std::vector<llvm::Constant *> steps;
  auto *word = llvm::Type::getInt32Ty(context_);
  auto *buffer_type = llvm::StructType::get(word, word, llvm::Type::getInt64Ty(context_));
  auto *step_type = llvm::StructType::get(pointer_, word, word);
  for (const StepDescription &step : description_.steps) {
    matches_runtime_ = matches_runtime_ && step.buffers.size() <= CNNC_MAX_KERNEL_BUFFERS;
    auto first = static_cast<uint32_t>(buffers.size());
    for (const cnnc_buffer &buffer : step.buffers)
      buffers.push_back(
          record(sizeof(cnnc_buffer), {{offsetof(cnnc_buffer, space), i32(buffer.space)},
                                       {offsetof(cnnc_buffer, index), i32(buffer.index)},
                                       {offsetof(cnnc_buffer, offset), i64(buffer.offset)}}));
    auto count = static_cast<uint32_t>(step.buffers.size());
    steps.push_back(record(sizeof(cnnc_step), {{offsetof(cnnc_step, kernel), kernel(step.symbol)},
                                               {offsetof(cnnc_step, first_buffer), i32(first)},
                                               {offsetof(cnnc_step, buffer_count), i32(count)}}));
  }
  auto step_count = static_cast<uint32_t>(steps.size());
  return global(
      record(sizeof(cnnc_program),
             {{offsetof(cnnc_program, model), model},
              {offsetof(cnnc_program, weights), external(weights_symbol)},
              {offsetof(cnnc_program, state), program_state()},
              {offsetof(cnnc_program, buffers), array(buffer_type, buffers, "buffers")},
              {offsetof(cnnc_program, steps), array(step_type, steps, "steps")},
              {offsetof(cnnc_program, step_count), i32(step_count)},
              {offsetof(cnnc_program, required_cpu), i32(description_.target.required_cpu)},
              {offsetof(cnnc_program, symbolic_batch), i32(description_.symbolic_batch)}}),
      "program");
}

llvm::Constant *TableBuilder::model(const Calls &calls) {
  const ModelDescription &d = description_;
  auto count = [&](const auto &list) { return i32(static_cast<uint32_t>(list.size())); };
  return global(
      record(sizeof(cnnc_model_v1),
             {{offsetof(cnnc_model_v1, abi_version), i32(CNNC_ABI_VERSION)},
              {offsetof(cnnc_model_v1, name), string(d.name)},
              {offsetof(cnnc_model_v1, target_cpu), string(d.target.cpu)},
              {offsetof(cnnc_model_v1, target_features), string(d.target.feature_summary())},
              {offsetof(cnnc_model_v1, input_count), count(d.inputs)},
              {offsetof(cnnc_model_v1, inputs), tensors(d.inputs, "inputs")},
              {offsetof(cnnc_model_v1, output_count), count(d.outputs)},
              {offsetof(cnnc_model_v1, outputs), tensors(d.outputs, "outputs")},
              {offsetof(cnnc_model_v1, kernel_count), count(d.steps)},
              {offsetof(cnnc_model_v1, kernel_names), kernel_names()},
              {offsetof(cnnc_model_v1, workspace_size), i64(d.workspace_size)},
              {offsetof(cnnc_model_v1, workspace_per_thread), i64(d.workspace_per_thread)},
              {offsetof(cnnc_model_v1, workspace_alignment), i64(d.workspace_alignment)},
              {offsetof(cnnc_model_v1, weights_size), i64(d.weights_size)},
              {offsetof(cnnc_model_v1, run), calls.run},
              {offsetof(cnnc_model_v1, prepare), calls.prepare},
              {offsetof(cnnc_model_v1, release), calls.release}}),
      "model");
}

void TableBuilder::define_call(llvm::Function *call, llvm::StringRef callee,
                               llvm::Constant *program) {
  std::vector<llvm::Type *> types = {pointer_};
  std::vector<llvm::Value *> arguments = {program};
  for (llvm::Argument &argument : call->args()) {
    types.push_back(argument.getType());
    arguments.push_back(&argument);
  }
  auto *type = llvm::FunctionType::get(call->getReturnType(), types, false);
  llvm::Function *runtime =
      llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, callee, module_);
  runtime->setVisibility(llvm::GlobalValue::HiddenVisibility);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context_, "", call));
  llvm::CallInst *result = builder.CreateCall(runtime, arguments);
  result->setTailCall();
  if (result->getType()->isVoidTy())
    builder.CreateRetVoid();
  else
    builder.CreateRet(result);
}

void TableBuilder::build() {
  for (const StepDescription &step : description_.steps)
    kernel(step.symbol); // first: LLVM renames what comes later under the same name
  llvm::Type *status = llvm::Type::getInt32Ty(context_);
  const std::string name = c_identifier(description_.name);
  auto declare = [&](llvm::Type *result, std::initializer_list<llvm::Type *> parameters,
                     const char *suffix) {
    return function(result, parameters, name + suffix, llvm::GlobalValue::InternalLinkage);
  };
  const Calls calls = {declare(status, {pointer_, pointer_, pointer_, pointer_}, "_run"),
                       declare(status, {pointer_, pointer_}, "_prepare"),
                       declare(llvm::Type::getVoidTy(context_), {}, "_release")};
  llvm::Constant *table = model(calls);
  llvm::Constant *tables = program(table);
  define_call(calls.run, "cnnc_program_run", tables);
  define_call(calls.prepare, "cnnc_program_prepare", tables);
  define_call(calls.release, "cnnc_program_release", tables);

  llvm::Function *exported =
      function(pointer_, {}, model_symbol(description_), llvm::GlobalValue::ExternalLinkage);
  exported->setDSOLocal(true);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context_, "", exported));
  builder.CreateRet(table);
}

} // namespace

std::string kernel_symbol(std::string_view model, std::string_view kernel) {
  std::string symbol = c_identifier(model) + ".";
  return symbol.append(kernel);
}

std::string model_symbol(const ModelDescription &description) {
  return c_identifier(description.name) + "_model";
}

std::unique_ptr<llvm::Module> build_model_table(llvm::LLVMContext &context,
                                                const ModelDescription &description,
                                                Diagnostics &diagnostics) {
  auto module = std::make_unique<llvm::Module>(description.name, context);
  set_module_target(*module, description.target);
  TableBuilder builder(*module, description);
  builder.build();
  if (builder.matches_runtime())
    return module;
  diagnostics.error("internal error: the tables of the model are not those of runtime/program.h");
  return nullptr;
}

} // namespace cnnc::codegen

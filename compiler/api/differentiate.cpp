// Gradients as a model.
#include "compiler/api/session.h"

namespace cnnc {

Result<Model> differentiate(const Model &model, const GradientOptions &gradients,
                            const Options &options) {
  Options asked = options;
  asked.gradients = gradients;
  asked.training.reset();
  asked.passes = {{"infer_shapes", "differentiate"}};
  Result<Session> session = Session::open(model, asked);
  if (!session)
    return Error{std::string(session.error())};
  auto content = std::make_shared<Model::Content>(model.content());
  content->module = std::move(session->module());
  return Model(std::move(content));
}

} // namespace cnnc

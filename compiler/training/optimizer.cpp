#include "compiler/training/optimizer.h"

namespace cnnc {

namespace {

/// v = momentum * v + g, w = w - rate * v (Sutskever et al. 2013, as PyTorch has it).
std::vector<Term> sgd(const OptimizerRequest &request, const Term &weight, const Term &gradient,
                      const std::vector<Term> &moments, const Term &rate) {
  const Term g = gradient + weight * request.weight_decay;
  if (moments.empty())
    return {weight - rate * g};
  const Term velocity = moments[0] * request.momentum + g;
  return {weight - rate * velocity, velocity};
}

/// Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
std::vector<Term> adamw(const OptimizerRequest &request, const Term &weight, const Term &gradient,
                        const std::vector<Term> &moments, const Term &rate, const Term &step) {
  const double beta1 = request.beta1, beta2 = request.beta2;
  const Term kept_first = moments[0] * beta1, first = kept_first + gradient * (1 - beta1);
  const Term kept_second = moments[1] * beta2;
  const Term second = kept_second + gradient * gradient * (1 - beta2);
  // Both begin at 0: what is missing of their means is made up for.
  const Term slope = first / (1 - pow(beta1, step));
  const Term size = sqrt(second / (1 - pow(beta2, step))) + request.epsilon;
  const Term kept = request.weight_decay == 0 ? weight : weight * (1 - rate * request.weight_decay);
  return {kept - rate * (slope / size), first, second};
}

} // namespace

std::vector<std::string> moments_of(const OptimizerRequest &request) {
  if (request.kind == OptimizerKind::adamw)
    return {"first_moment", "second_moment"};
  return request.momentum == 0 ? std::vector<std::string>() : std::vector<std::string>{"momentum"};
}

std::vector<Term> updated_weight(const OptimizerRequest &request, const Term &weight,
                                 const Term &gradient, const std::vector<Term> &moments,
                                 const Term &rate, const Term &step) {
  return request.kind == OptimizerKind::adamw
             ? adamw(request, weight, gradient, moments, rate, step)
             : sgd(request, weight, gradient, moments, rate);
}

} // namespace cnnc

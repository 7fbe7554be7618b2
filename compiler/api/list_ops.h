// How the op table is spelt for people.
#pragma once

#include "ir/graph/op.h"

namespace cnnc {

/// `input, filter, bias?`; `inputs...` for one or more.
std::string operands_of(const OpInfo &op);

/// `name=default`, or `name: type` when it has to be given.
std::string spell(const AttributeInfo &attribute);

/// All attributes of an op, as in `stride=[1, 1], groups: an integer`.
std::string attributes_of(const OpInfo &op);

/// What an element of the result is; empty where the summary says that already.
std::string formula_of(const OpInfo &op);

} // namespace cnnc

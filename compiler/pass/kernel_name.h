// What kernels are called.
#pragma once

#include <cctype>
#include <string>

namespace cnnc {

/// The name of the kernel that is built around the op which computes this value: letters, digits, _
/// and . only. Of two kernels of one name, Graph::add_kernel() gives the second another.
inline std::string kernel_name_of(std::string value) {
  for (char &c : value)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.')
      c = '_';
  return value;
}

} // namespace cnnc

#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// Values as docs/evaluation_protocol.md describes them: what a model returned, as a tree.

namespace lathe::verifier {

struct value;
struct keyed_value;

/// None, a truth value, an integer, a float or a string.
using scalar = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// A Python list or tuple.
struct sequence {
  bool is_tuple = false;
  std::vector<value> items;
};

/// A Python dict; entries are sorted by key, and no key comes twice.
struct mapping {
  std::vector<keyed_value> entries;
};

/// A tensor, a scalar, or any nesting of lists, tuples and dicts of them.
struct value {
  std::variant<scalar, at::Tensor, sequence, mapping> content;
};

/// One entry of a dict.
struct keyed_value {
  std::string key;
  value item;
};

/// What a values file held, or one sentence that says what is wrong with the file.
struct reading {
  value content;
  std::string problem;

  explicit operator bool() const {
    return problem.empty();
  }
};

/// Reads the values file behind `fd`, whoever wrote it: every byte is copied out before it is
/// looked at and read only once, so a writer that still has the file gains nothing. Throws what
/// torch and the allocator throw when there is no memory for as much as the file holds: that says
/// nothing about the file.
/// @param place where its tensors are to lie
reading read_values(int fd, at::Device place = at::kCPU);

} // namespace lathe::verifier

#pragma once

#include <c10/core/ScalarType.h>

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::verifier {

/// Where a tensor lies in a values file, and how its bytes are meant.
struct tensor_layout {
  c10::ScalarType type = c10::ScalarType::Undefined;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0; ///< [bytes] from the start of the file
  std::uint64_t bytes = 0;
};

/// The part of a file that tensors may lie in: from the header's end to the file's. [bytes]
struct byte_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Reads the `tensors` array of a values file's header into `result` and checks it: known types,
/// sane shapes, sizes that fit them, tensors inside `space` and apart from each other. Returns
/// what is wrong in one sentence, or an empty string.
std::string read_layouts(const simdjson::dom::array& records, byte_range space,
                         std::vector<tensor_layout>& result);

} // namespace lathe::verifier

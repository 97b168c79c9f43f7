#include "gpu/verifier/tensor_layout.hpp"

#include "gpu/verifier/dtypes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace lathe::verifier {

namespace {

namespace dom = simdjson::dom;

constexpr std::size_t max_tensors = 4096;
constexpr std::size_t max_dimensions = 16;
constexpr std::uint64_t alignment = 64; // [bytes]

std::string read_type(const dom::object& record, c10::ScalarType& result) {
  std::string_view name;
  if (record["dtype"].get(name) != simdjson::SUCCESS)
    return "has no dtype";
  auto known = dtype_from_name(name);
  if (!known)
    return "has an unknown dtype";
  result = *known;
  return {};
}

std::string read_shape(const dom::object& record, std::vector<std::int64_t>& result) {
  dom::array sizes;
  if (record["shape"].get(sizes) != simdjson::SUCCESS)
    return "has no shape";
  if (sizes.size() > max_dimensions)
    return fmt::format("has more than {} dimensions", max_dimensions);
  for (auto element : sizes) {
    std::int64_t size = 0;
    if (element.get(size) != simdjson::SUCCESS)
      return "has a size that is no 64-bit integer";
    if (size < 0)
      return "has a negative size";
    result.push_back(size);
  }
  return {};
}

// Zeros are left out of the first product: torch multiplies the other sizes into strides all the
// same, so they must not overflow either.
bool byte_count(const tensor_layout& tensor, std::uint64_t& result) {
  auto stride = static_cast<std::int64_t>(c10::elementSize(tensor.type));
  for (auto size : tensor.shape)
    if (__builtin_mul_overflow(stride, std::max<std::int64_t>(size, 1), &stride))
      return false;
  auto empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
  result = empty ? 0 : static_cast<std::uint64_t>(stride);
  return true;
}

std::string read_place(const dom::object& record, byte_range space, tensor_layout& result) {
  if (record["offset"].get(result.offset) != simdjson::SUCCESS)
    return "has no offset";
  if (record["bytes"].get(result.bytes) != simdjson::SUCCESS)
    return "has no byte count";
  std::uint64_t needed = 0;
  if (!byte_count(result, needed))
    return "has a shape that is too large";
  if (result.bytes != needed)
    return fmt::format("has {} bytes, its shape and dtype need {}", result.bytes, needed);
  if (result.offset % alignment != 0)
    return fmt::format("is at offset {}, which is not a multiple of {}", result.offset, alignment);
  if (result.offset < space.begin && result.bytes > 0)
    return "lies inside the header";
  if (result.offset > space.end || result.bytes > space.end - result.offset)
    return "ends behind the end of the file";
  return {};
}

std::string read_record(dom::element element, byte_range space, tensor_layout& result) {
  dom::object record;
  if (element.get(record) != simdjson::SUCCESS)
    return "is not described by an object";
  if (record.size() != 4)
    return "is not described by dtype, shape, offset and bytes";
  if (auto problem = read_type(record, result.type); !problem.empty())
    return problem;
  if (auto problem = read_shape(record, result.shape); !problem.empty())
    return problem;
  return read_place(record, space, result);
}

// Two tensors over the same bytes would let a small file ask for any amount of memory.
std::string find_overlap(const std::vector<tensor_layout>& tensors) {
  std::vector<const tensor_layout*> ordered;
  for (auto& tensor : tensors)
    if (tensor.bytes > 0)
      ordered.push_back(&tensor);
  std::sort(ordered.begin(), ordered.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < ordered.size(); ++i)
    if (ordered[i]->offset < ordered[i - 1]->offset + ordered[i - 1]->bytes)
      return fmt::format("tensors {} and {} overlap", ordered[i - 1] - tensors.data(),
                         ordered[i] - tensors.data());
  return {};
}

} // namespace

std::string read_layouts(const dom::array& records, byte_range space,
                         std::vector<tensor_layout>& result) {
  for (auto element : records) {
    if (result.size() == max_tensors)
      return fmt::format("there are more than {} tensors", max_tensors);
    tensor_layout tensor;
    if (auto problem = read_record(element, space, tensor); !problem.empty())
      return fmt::format("tensor {} {}", result.size(), problem);
    result.push_back(std::move(tensor));
  }
  return find_overlap(result);
}

} // namespace lathe::verifier

#include "gpu/verifier/dtypes.hpp"

#include <array>
#include <utility>

namespace lathe::verifier {

namespace {

constexpr std::array<std::pair<std::string_view, c10::ScalarType>, 12> dtypes{{
  {"float64", c10::kDouble},
  {"float32", c10::kFloat},
  {"float16", c10::kHalf},
  {"bfloat16", c10::kBFloat16},
  {"int64", c10::kLong},
  {"int32", c10::kInt},
  {"int16", c10::kShort},
  {"int8", c10::kChar},
  {"uint8", c10::kByte},
  {"bool", c10::kBool},
  {"complex64", c10::kComplexFloat},
  {"complex128", c10::kComplexDouble},
}};

} // namespace

std::optional<c10::ScalarType> dtype_from_name(std::string_view name) {
  for (auto& [known, type] : dtypes)
    if (known == name)
      return type;
  return std::nullopt;
}

std::string_view dtype_name(c10::ScalarType type) {
  for (auto& [name, known] : dtypes)
    if (known == type)
      return name;
  return "unknown";
}

} // namespace lathe::verifier

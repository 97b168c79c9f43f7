#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string_view>

namespace lathe::verifier {

/// Returns the type that torch calls `name` (`float32`), or nothing for types that values files
/// do not hold.
std::optional<c10::ScalarType> dtype_from_name(std::string_view name);

/// Returns torch's name of a type that values files hold.
std::string_view dtype_name(c10::ScalarType type);

} // namespace lathe::verifier

#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <functional>
#include <string>

namespace lathe::doctor {

/// Says which keys of LLM providers are set, and never what they are.
/// @param is_set whether an environment variable has a value
finding check_keys(const std::function<bool(const std::string&)>& is_set);

/// Looks at this process's environment.
finding check_keys();

} // namespace lathe::doctor

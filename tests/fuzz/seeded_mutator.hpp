#pragma once

#include <string>
#include <vector>

namespace lathe::fuzz {

/// What a target's inputs should look like. libFuzzer begins with nothing, and finds its way from
/// copies of these; every target defines it.
std::vector<std::string> seeds();

} // namespace lathe::fuzz

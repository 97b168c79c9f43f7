#pragma once

#include "runtime/topology/blocks.hpp"

namespace lathe::runtime {

/// Reports what does not fit together in a topology whose parts were read. `root` is the YAML it
/// was read from, for the places of mistakes.
void check(const raw_topology& x, const yaml_node& root, mistake_list& mistakes);

} // namespace lathe::runtime

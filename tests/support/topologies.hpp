#pragma once

#include "messages/topology.hpp"

namespace lathe::test {

/// Planner, coder, fixer, profiler and recipes, wired as in pike-b, with room for 20 queries.
topology small_topology();

/// Recipes alone.
topology recipes_topology();

} // namespace lathe::test

#pragma once

#include "gpu/evaluation_site.hpp"
#include "messages/work.hpp"

#include <caf/expected.hpp>

namespace lathe::gpu {

/// Applies recipe passes to a task's model in a worker, and returns the candidates that they make:
/// the first ones, or with `request.tried` those that lie next to the fastest of them.
/// `request.passes` are names of files in the site's recipes folder or of `own_passes`; "all" means
/// every one of both.
/// Blocks. Fails with `user_error` for a pass that is not there.
caf::expected<recipe_book> run_recipes(const recipe_request& request, evaluation_site& site);

} // namespace lathe::gpu

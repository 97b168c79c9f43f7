#pragma once

#include "messages/task.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <vector>

namespace lathe::runtime {

/// Reads a task file. Fails with `user_error` and a sentence for what can be no task: missing, not
/// text, without `Model` or `get_inputs`. What only running it can tell, the oracle finds out.
caf::expected<task> read_task(const std::filesystem::path& file);

/// Reads several; the errors of all of them at once, a line each. Two tasks of one name are an error.
caf::expected<std::vector<task>> read_tasks(const std::vector<std::filesystem::path>& files);

} // namespace lathe::runtime

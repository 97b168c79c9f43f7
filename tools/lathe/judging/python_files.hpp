#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::judging {

/// Returns the Python files that `places` name: a file is itself, a folder is all `.py` files in
/// it and below (hidden ones and `__pycache__` left out), a pattern with `*`, `?` or `[` is
/// whatever it matches. In the order of places, within one as people count ("2_x.py" before
/// "10_x.py"), each file once.
/// Fails with `user_error` where a place is missing, holds nothing or matches nothing.
caf::expected<std::vector<std::filesystem::path>>
find_python_files(const std::vector<std::string>& places);

/// True when `x` goes before `y`; numbers inside are compared by their value.
bool counts_before(std::string_view x, std::string_view y);

} // namespace lathe::judging

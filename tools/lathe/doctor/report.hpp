#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <span>
#include <string>

namespace lathe::doctor {

/// One row of the table, with its remedy in a line of its own, each ended by a newline.
std::string format_row(const finding& x, bool colour);

/// The sentence below the table: what it all comes to.
std::string format_summary(std::span<const finding> findings);

/// One document: `ready`, and `findings` with `name`, `state`, `found` and `remedy`.
std::string format_json(std::span<const finding> findings);

/// Returns whether nothing that Lathe needs is missing.
bool ready(std::span<const finding> findings);

} // namespace lathe::doctor

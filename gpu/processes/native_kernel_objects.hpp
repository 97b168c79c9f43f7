#pragma once

#include "gpu/processes/native_kernel_names.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Where kernels come from. Compiled code registers its kernels by their mangled names, which
// therefore stand in the constant data of the library or extension that has them: better evidence
// than what a name looks like. Kernels that were compiled at run time stand in none.

namespace lathe::native {

/// Mangled names.
using kernel_names = std::set<std::string, std::less<>>;

/// Adds to `found` those of `names` that are whole strings in `data`.
void find_strings(std::string_view data, const kernel_names& names, kernel_names& found);

/// Returns those of `names` that an object file registers: nothing for one without device code, or
/// one that cannot be read.
kernel_names registered_kernels(const std::string& path, const kernel_names& names);

/// The object files that this process has loaded, torch's own first.
std::vector<std::string> loaded_objects();

/// Returns the folders below which nothing is the candidate's: the system's, and that of the Python
/// whose torch is among `objects`.
std::vector<std::string> installed_folders(const std::vector<std::string>& objects);

/// Returns who wrote each of these kernels. What an installed object registers is torch's or a
/// library's, what another object registers is the candidate's own; names decide about the rest. A
/// name that both have is not the candidate's: it may have been put there to be found.
std::map<std::string, kernel_author> authors_of(const kernel_names& kernels,
                                                const std::vector<std::string>& objects,
                                                const std::vector<std::string>& installed);

} // namespace lathe::native

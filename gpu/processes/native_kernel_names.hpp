#pragma once

#include <string>

namespace lathe::native {

/// Who wrote a kernel.
enum class kernel_author {
  own,       ///< whoever wrote the candidate, or a compiler that it brought along
  library,   ///< cuBLAS, cuDNN and the like, also those parts of them that torch ships
  framework, ///< torch
};

/// Returns a kernel's name as people read it; one that no C++ compiler wrote stays as it is.
std::string readable(const std::string& name);

/// Tells by a kernel's name, as the compiler wrote it or as people read it, who its author is. Only
/// names that nobody else gives count: whatever is unknown is the candidate's own.
kernel_author author_by_name(const std::string& name);

} // namespace lathe::native

#include "tools/lathe/core_dumps.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace lathe::cli {

void forbid_core_dumps() {
  // Not 0, which only keeps files from being written: a `core_pattern` that is a pipe would still
  // get everything. The kernel (fs/coredump.c) gives up at exactly 1 where there is a pipe, and
  // below a page where there is a file.
  const rlimit one{1, 1};
  if (::setrlimit(RLIMIT_CORE, &one) != 0)
    ::prctl(PR_SET_DUMPABLE, 0); // the hard limit is 0 already; this holds for this process alone
}

} // namespace lathe::cli

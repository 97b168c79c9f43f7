#pragma once

#include <filesystem>
#include <string>

namespace lathe::cli {

/// What `lathe run --replay RUN` was given.
struct replay_arguments {
  std::filesystem::path recorded; ///< the folder of a run
  std::filesystem::path runs;     ///< where the new one is made
  std::string name;               ///< of its folder; empty: made up
  bool json = false;
  bool quiet = false;
};

/// Plays a whole run again from its journal and says whether it came out the same, or where not.
/// Returns the exit code.
int replay_whole_run(const replay_arguments& x);

} // namespace lathe::cli

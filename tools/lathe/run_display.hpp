#pragma once

#include "runtime/run.hpp"

#include <mutex>
#include <string>

namespace lathe::cli {

/// Shows a run while it works: a table that is redrawn in place on a terminal, one line an event
/// elsewhere. Goes to standard error when the result is JSON.
class run_display {
public:
  run_display(bool quiet, bool to_stderr);

  /// Takes a line for an event. From any thread.
  void tell(const std::string& line);

  /// Takes a line that people should see on any display. From any thread.
  void warn(const std::string& line);

  /// Redraws the table, at most a few times a second.
  void redraw(runtime::run& work);

  /// Leaves the last table where it is.
  void finish(runtime::run& work);

  /// Prints a line that stays.
  void say(const std::string& line);

private:
  void draw(runtime::run& work);
  void erase();

  std::mutex mutex_;
  std::FILE* out_;
  bool quiet_;
  bool terminal_;
  bool colour_;
  std::size_t drawn_ = 0; // lines of the table on the screen
};

} // namespace lathe::cli

#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lathe::runtime {

/// A place in a file, counted from 1. Line 0 means the file as a whole.
struct place {
  std::string file;
  int line = 0;
  int column = 0;
};

/// One mistake in a topology, in words.
struct diagnostic {
  std::string file;
  int line = 0; ///< 0: the file as a whole
  int column = 0;
  std::string message;
  std::string hint;     ///< what to do next, on a line of its own; may be empty
  bool outside = false; ///< the file is right, but what it asks for is not there

  friend bool operator==(const diagnostic&, const diagnostic&) = default;
};

/// Renders as `t.yaml:14:5: message`, or as `message (t.yaml:14)` what is wrong outside the file.
/// The hint follows on its own line.
std::string to_string(const diagnostic& x);

/// Renders one line per mistake, then every hint once.
std::string to_string(const std::vector<diagnostic>& xs);

/// Collects the mistakes of one reading.
class mistake_list {
public:
  /// Adds a mistake in the file.
  void add(const place& at, std::string message);

  /// Adds something that the file asks for and that is not there.
  void add_outside(const place& at, std::string message, std::string hint);

  std::size_t size() const {
    return mistakes_.size();
  }

  /// Returns the mistakes by file (`main_file` first) and line.
  std::vector<diagnostic> sorted(const std::string& main_file) const;

private:
  std::vector<diagnostic> mistakes_;
};

} // namespace lathe::runtime

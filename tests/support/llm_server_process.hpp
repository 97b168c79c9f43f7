#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace lathe::test {

/// tools/llm_server in a process of its own, on a free port.
class llm_server_process {
public:
  /// @param program the executable
  explicit llm_server_process(const std::string& program, std::vector<std::string> options = {});

  llm_server_process(const llm_server_process&) = delete;

  llm_server_process& operator=(const llm_server_process&) = delete;

  ~llm_server_process();

  /// "http://127.0.0.1:PORT"
  const std::string& address() const {
    return address_;
  }

  /// Ends it, and returns what it did, as a line of JSON.
  std::string stop();

private:
  std::string read_line();

  pid_t pid_ = -1;
  int output_ = -1;
  std::string address_;
};

} // namespace lathe::test

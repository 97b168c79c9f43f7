#include "tests/support/llm_server_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace lathe::test {

llm_server_process::llm_server_process(const std::string& program,
                                       std::vector<std::string> options) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return;
  options.insert(options.begin(), {program, "--port", "0"});
  std::vector<char*> arguments;
  for (auto& x : options)
    arguments.push_back(x.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(ends[1], 1);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  output_ = ends[0];
  auto line = read_line();
  address_ = line.substr(line.find("http"));
}

llm_server_process::~llm_server_process() {
  stop();
}

std::string llm_server_process::stop() {
  if (pid_ < 0)
    return {};
  ::kill(pid_, SIGTERM);
  auto result = read_line();
  ::waitpid(pid_, nullptr, 0);
  ::close(output_);
  pid_ = -1;
  return result;
}

std::string llm_server_process::read_line() {
  std::string result;
  char c = 0;
  while (::read(output_, &c, 1) == 1 && c != '\n')
    result += c;
  return result;
}

} // namespace lathe::test

#include "tools/llm_server/server.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

namespace {

constexpr int user_mistake = 2;
constexpr int environment_lacks = 3;

int serve(const lathe::llm_server::options& options) {
  lathe::llm_server::server server{options};
  if (auto wrong = server.open(options)) {
    fmt::print(stderr, "llm-server: {}.\n", wrong->sentence);
    return user_mistake;
  }
  fmt::print("listening on {}\n", server.url());
  std::fflush(stdout);
  server.run();
  fmt::print("{}\n", server.report());
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  auto options = lathe::llm_server::parse_options({argv + 1, argv + argc});
  if (!options) {
    fmt::print(stderr, "llm-server: {}.\n", options.error().sentence);
    return user_mistake;
  }
  if (options->help) {
    fmt::print("{}", lathe::llm_server::help_text());
    return 0;
  }
  try {
    return serve(*options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "llm-server: {}\n", error.what());
    return environment_lacks;
  }
}

#pragma once

#include "tools/llm_server/behaviour.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace lathe::llm_server {

/// What the command line says.
struct options {
  behaviour defaults;
  std::uint16_t port = 0; ///< 0: any that is free
  std::size_t threads = 1;
  std::string certificate; ///< file names, PEM; empty: no TLS
  std::string key;
  bool help = false;
};

/// Reads the arguments that follow the program's name.
parsed<options> parse_options(std::span<const char* const> arguments);

std::string help_text();

} // namespace lathe::llm_server

#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace lathe::llm_clients {

/// Returns the logger `llm`: the registered one, or else a clone of the default logger.
std::shared_ptr<spdlog::logger> log();

} // namespace lathe::llm_clients

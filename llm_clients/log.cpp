#include "llm_clients/log.hpp"

#include <spdlog/spdlog.h>

namespace lathe::llm_clients {

std::shared_ptr<spdlog::logger> log() {
  if (auto logger = spdlog::get("llm"))
    return logger;
  return spdlog::default_logger()->clone("llm");
}

} // namespace lathe::llm_clients

#include "tools/lathe/run_log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

namespace lathe::cli {

void log_to(const std::filesystem::path& file) {
  try {
    spdlog::set_default_logger(spdlog::basic_logger_mt("lathe", file.string()));
    spdlog::flush_on(spdlog::level::warn);
  } catch (const spdlog::spdlog_ex&) {
    spdlog::warn("the log goes to standard error: {} cannot be written", file.string());
  }
}

} // namespace lathe::cli

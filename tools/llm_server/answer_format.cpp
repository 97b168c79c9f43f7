#include "tools/llm_server/answer_format.hpp"

namespace lathe::llm_server {

std::string all_events(const answer_format& format, const answer& x) {
  auto result = format.opening(x);
  for (std::size_t i = 0; i < x.events; ++i)
    format.append_delta(x, i, result);
  return result + format.closing(x);
}

} // namespace lathe::llm_server

#include "tools/llm_server/answer_format.hpp"
#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace lathe::llm_server {

namespace {

// `input_tokens` are those that came from no cache.
std::string usage(const answer& x, std::size_t output) {
  return fmt::format(R"({{"input_tokens":{},"cache_creation_input_tokens":0,)"
                     R"("cache_read_input_tokens":{},"output_tokens":{},)"
                     R"("service_tier":"standard"}})",
                     x.prompt_tokens - x.cached_tokens, x.cached_tokens, output);
}

std::string message(const answer& x, std::string_view content, std::string_view stop_reason,
                    std::size_t output) {
  return fmt::format(R"({{"id":"msg_{}","type":"message","role":"assistant","model":"{}",)"
                     R"("content":[{}],"stop_reason":{},"stop_sequence":null,"usage":{}}})",
                     x.id, x.model, content, stop_reason, usage(x, output));
}

std::string event(std::string_view type, std::string_view members) {
  return fmt::format("event: {0}\n"
                     R"(data: {{"type":"{0}"{1}}})"
                     "\n\n",
                     type, members);
}

class messages : public answer_format {
public:
  std::string body(const answer& x) const override {
    auto content = fmt::format(R"({{"type":"text","text":"{}"}})", json_escaped(*x.text));
    return message(x, content, R"("end_turn")", x.events + x.reasoning_tokens);
  }

  std::string opening(const answer& x) const override {
    return event("message_start", R"(,"message":)" + message(x, "", "null", 1))
           + event("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})")
           + event("ping", "");
  }

  void append_delta(const answer& x, std::size_t number, std::string& out) const override {
    fmt::format_to(std::back_inserter(out),
                   "event: content_block_delta\n"
                   R"(data: {{"type":"content_block_delta","index":0,)"
                   R"("delta":{{"type":"text_delta","text":"{}"}}}})"
                   "\n\n",
                   json_escaped(delta_text(x, number)));
  }

  std::string closing(const answer& x) const override {
    auto end = fmt::format(R"(,"delta":{{"stop_reason":"end_turn","stop_sequence":null}},)"
                           R"("usage":{{"output_tokens":{}}})",
                           x.events + x.reasoning_tokens);
    return event("content_block_stop", R"(,"index":0)") + event("message_delta", end)
           + event("message_stop", "");
  }
};

} // namespace

const answer_format& messages_format() {
  static const messages result;
  return result;
}

} // namespace lathe::llm_server

#include "tools/llm_server/answer_format.hpp"
#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace lathe::llm_server {

namespace {

std::string usage(const answer& x) {
  auto completion = x.events + x.reasoning_tokens;
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":{},"audio_tokens":0}},)"
                     R"("completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":0,)"
                     R"("accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}})",
                     x.prompt_tokens, completion, x.prompt_tokens + completion, x.cached_tokens,
                     x.reasoning_tokens);
}

void append_chunk(const answer& x, std::string_view choices, std::string_view usage_member,
                  std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 R"(data: {{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},)"
                 R"("model":"{}","service_tier":"default","system_fingerprint":"fp_llm_server",)"
                 R"("choices":[{}]{}}})"
                 "\n\n",
                 x.id, x.created, x.model, choices, usage_member);
}

void append_choice(const answer& x, std::string_view delta, std::string_view finish_reason,
                   std::string& out) {
  auto choice = fmt::format(R"({{"index":0,"delta":{},"logprobs":null,"finish_reason":{}}})", delta,
                            finish_reason);
  append_chunk(x, choice, x.stream_usage ? R"(,"usage":null)" : "", out);
}

class chat_completions : public answer_format {
public:
  std::string body(const answer& x) const override {
    return fmt::format(
      R"({{"id":"chatcmpl-{}","object":"chat.completion","created":{},"model":"{}",)"
      R"("choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null,)"
      R"("annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{},)"
      R"("service_tier":"default","system_fingerprint":"fp_llm_server"}})",
      x.id, x.created, x.model, json_escaped(*x.text), usage(x));
  }

  std::string opening(const answer& x) const override {
    std::string result;
    append_choice(x, R"({"role":"assistant","content":"","refusal":null})", "null", result);
    return result;
  }

  void append_delta(const answer& x, std::size_t number, std::string& out) const override {
    auto delta = fmt::format(R"({{"content":"{}"}})", json_escaped(delta_text(x, number)));
    append_choice(x, delta, "null", out);
  }

  std::string closing(const answer& x) const override {
    std::string result;
    append_choice(x, "{}", R"("stop")", result);
    if (x.stream_usage)
      append_chunk(x, "", R"(,"usage":)" + usage(x), result);
    return result + "data: [DONE]\n\n";
  }
};

} // namespace

const answer_format& chat_completions_format() {
  static const chat_completions result;
  return result;
}

} // namespace lathe::llm_server

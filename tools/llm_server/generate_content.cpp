#include "tools/llm_server/answer_format.hpp"
#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace lathe::llm_server {

namespace {

// Thoughts are counted beside the candidates' tokens. A count of 0 is left out.
std::string usage(const answer& x) {
  auto result =
    fmt::format(R"({{"promptTokenCount":{},"candidatesTokenCount":{},)"
                R"("totalTokenCount":{})",
                x.prompt_tokens, x.events, x.prompt_tokens + x.events + x.reasoning_tokens);
  if (x.cached_tokens != 0)
    result += fmt::format(R"(,"cachedContentTokenCount":{})", x.cached_tokens);
  if (x.reasoning_tokens != 0)
    result += fmt::format(R"(,"thoughtsTokenCount":{})", x.reasoning_tokens);
  return result + "}";
}

// One response, which is the whole body or the data of one event. `last` has the usage.
void append_response(const answer& x, std::string_view text, bool last, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 R"({{"candidates":[{{"content":{{"parts":[{{"text":"{}"}}],"role":"model"}},)"
                 R"({}"index":0}}],{}"modelVersion":"{}","responseId":"{}"}})",
                 json_escaped(text), last ? R"("finishReason":"STOP",)" : "",
                 last ? R"("usageMetadata":)" + usage(x) + "," : "", x.model, x.id);
}

class generate_content : public answer_format {
public:
  std::string body(const answer& x) const override {
    std::string result;
    append_response(x, *x.text, true, result);
    return result;
  }

  std::string opening(const answer&) const override {
    return {};
  }

  void append_delta(const answer& x, std::size_t number, std::string& out) const override {
    out += "data: ";
    append_response(x, delta_text(x, number), number + 1 == x.events, out);
    out += "\r\n\r\n";
  }

  std::string closing(const answer&) const override {
    return {};
  }
};

} // namespace

const answer_format& generate_content_format() {
  static const generate_content result;
  return result;
}

} // namespace lathe::llm_server

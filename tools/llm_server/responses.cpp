#include "tools/llm_server/answer_format.hpp"
#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace lathe::llm_server {

namespace {

constexpr std::size_t events_before_deltas = 4;

std::string usage(const answer& x) {
  auto output = x.events + x.reasoning_tokens;
  return fmt::format(R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{}}},)"
                     R"("output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},)"
                     R"("total_tokens":{}}})",
                     x.prompt_tokens, x.cached_tokens, output, x.reasoning_tokens,
                     x.prompt_tokens + output);
}

std::string part(std::string_view escaped) {
  return fmt::format(R"({{"type":"output_text","text":"{}","annotations":[],"logprobs":[]}})",
                     escaped);
}

std::string item(const answer& x, std::string_view status, std::string_view content) {
  return fmt::format(R"({{"id":"msg_{}","type":"message","status":"{}","role":"assistant",)"
                     R"("content":[{}]}})",
                     x.id, status, content);
}

std::string response(const answer& x, std::string_view status, std::string_view output,
                     std::string_view usage_value) {
  return fmt::format(
    R"({{"id":"resp_{}","object":"response","created_at":{},"status":"{}","error":null,)"
    R"("incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"{}",)"
    R"("output":[{}],"parallel_tool_calls":true,"previous_response_id":null,)"
    R"("reasoning":{{"effort":null,"summary":null}},"store":false,"temperature":1.0,)"
    R"("text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_p":1.0,)"
    R"("truncation":"disabled","usage":{},"user":null,"metadata":{{}}}})",
    x.id, x.created, status, x.model, output, usage_value);
}

std::string whole_response(const answer& x, std::string_view escaped) {
  return response(x, "completed", item(x, "completed", part(escaped)), usage(x));
}

// Appends one event. `members` follow its type and number.
void append_event(std::string_view type, std::size_t number, std::string_view members,
                  std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "event: {0}\n"
                 R"(data: {{"type":"{0}","sequence_number":{1},{2}}})"
                 "\n\n",
                 type, number, members);
}

// Where in the response the text is that an event is about.
std::string place(const answer& x) {
  return fmt::format(R"("item_id":"msg_{}","output_index":0,"content_index":0,)", x.id);
}

class responses : public answer_format {
public:
  std::string body(const answer& x) const override {
    return whole_response(x, json_escaped(*x.text));
  }

  std::string opening(const answer& x) const override {
    std::string result;
    auto begun = R"("response":)" + response(x, "in_progress", "", "null");
    append_event("response.created", 0, begun, result);
    append_event("response.in_progress", 1, begun, result);
    append_event("response.output_item.added", 2,
                 R"("output_index":0,"item":)" + item(x, "in_progress", ""), result);
    append_event("response.content_part.added", 3, place(x) + R"("part":)" + part(""), result);
    return result;
  }

  void append_delta(const answer& x, std::size_t number, std::string& out) const override {
    auto members =
      fmt::format(R"({}"delta":"{}","logprobs":[])", place(x), json_escaped(delta_text(x, number)));
    append_event("response.output_text.delta", events_before_deltas + number, members, out);
  }

  std::string closing(const answer& x) const override {
    std::string result;
    auto text = json_escaped(*x.text);
    auto number = events_before_deltas + x.events;
    append_event("response.output_text.done", number,
                 fmt::format(R"({}"text":"{}","logprobs":[])", place(x), text), result);
    append_event("response.content_part.done", number + 1, place(x) + R"("part":)" + part(text),
                 result);
    append_event("response.output_item.done", number + 2,
                 R"("output_index":0,"item":)" + item(x, "completed", part(text)), result);
    append_event("response.completed", number + 3, R"("response":)" + whole_response(x, text),
                 result);
    return result;
  }
};

} // namespace

const answer_format& responses_format() {
  static const responses result;
  return result;
}

} // namespace lathe::llm_server

#include "tools/llm_server/answer_format.hpp"

#include <gmock/gmock.h>
#include <simdjson.h>

#include <vector>

using namespace lathe::llm_server;
using testing::ElementsAre;

namespace dom = simdjson::dom;

namespace {

answer three_deltas() {
  answer x;
  x.id = "0123456789abcdef01234567";
  x.model = "a-model";
  x.text = std::make_shared<const std::string>("one\ntwo\"3");
  x.events = 3;
  x.prompt_tokens = 10;
  x.cached_tokens = 4;
  x.reasoning_tokens = 2;
  return x;
}

// One server-sent event.
struct sse_event {
  std::string type; // of the line "event:"
  std::string data;
};

std::vector<sse_event> events_of(std::string text) {
  std::vector<sse_event> result;
  sse_event event;
  while (!text.empty()) {
    auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.erase(0, end + 1);
    if (line.ends_with('\r'))
      line.pop_back();
    if (line.starts_with("event: "))
      event.type = line.substr(7);
    else if (line.starts_with("data: "))
      event.data = line.substr(6);
    else if (line.empty())
      result.push_back(std::exchange(event, {}));
  }
  return result;
}

std::vector<std::string> types_of(const std::vector<sse_event>& events) {
  std::vector<std::string> result;
  for (auto& event : events)
    result.push_back(event.type);
  return result;
}

// A JSON document that outlives what is found in it.
class document {
public:
  explicit document(const std::string& json) {
    if (parser_.parse(json).get(root_) != simdjson::SUCCESS)
      ADD_FAILURE() << "no JSON: " << json;
  }

  std::string text(const char* pointer) {
    std::string_view result;
    EXPECT_EQ(root_.at_pointer(pointer).get(result), simdjson::SUCCESS) << pointer;
    return std::string{result};
  }

  std::int64_t count(const char* pointer) {
    std::int64_t result = -1;
    EXPECT_EQ(root_.at_pointer(pointer).get(result), simdjson::SUCCESS) << pointer;
    return result;
  }

  bool has(const char* pointer) {
    return root_.at_pointer(pointer).error() == simdjson::SUCCESS;
  }

private:
  dom::parser parser_;
  dom::element root_;
};

} // namespace

TEST(chat_completions, a_body_has_text_and_usage) {
  document body{chat_completions_format().body(three_deltas())};
  EXPECT_EQ(body.text("/object"), "chat.completion");
  EXPECT_EQ(body.text("/choices/0/message/content"), "one\ntwo\"3");
  EXPECT_EQ(body.text("/choices/0/finish_reason"), "stop");
  EXPECT_EQ(body.count("/usage/prompt_tokens"), 10);
  EXPECT_EQ(body.count("/usage/completion_tokens"), 5);
  EXPECT_EQ(body.count("/usage/total_tokens"), 15);
  EXPECT_EQ(body.count("/usage/prompt_tokens_details/cached_tokens"), 4);
  EXPECT_EQ(body.count("/usage/completion_tokens_details/reasoning_tokens"), 2);
}

TEST(chat_completions, a_stream_is_role_deltas_reason_and_done) {
  auto events = events_of(all_events(chat_completions_format(), three_deltas()));
  ASSERT_EQ(events.size(), 6u);
  EXPECT_EQ(document{events[0].data}.text("/choices/0/delta/role"), "assistant");
  std::string text;
  for (auto i : {1u, 2u, 3u})
    text += document{events[i].data}.text("/choices/0/delta/content");
  EXPECT_EQ(text, "one\ntwo\"3");
  EXPECT_EQ(document{events[4].data}.text("/choices/0/finish_reason"), "stop");
  EXPECT_EQ(events[5].data, "[DONE]");
  EXPECT_FALSE(document{events[1].data}.has("/usage"));
}

TEST(chat_completions, the_usage_comes_last_when_it_was_asked_for) {
  auto x = three_deltas();
  x.stream_usage = true;
  auto events = events_of(all_events(chat_completions_format(), x));
  ASSERT_EQ(events.size(), 7u);
  document usage{events[5].data};
  EXPECT_FALSE(usage.has("/choices/0"));
  EXPECT_EQ(usage.count("/usage/completion_tokens"), 5);
}

TEST(responses, a_body_has_text_and_usage) {
  document body{responses_format().body(three_deltas())};
  EXPECT_EQ(body.text("/status"), "completed");
  EXPECT_EQ(body.text("/output/0/content/0/text"), "one\ntwo\"3");
  EXPECT_EQ(body.count("/usage/input_tokens_details/cached_tokens"), 4);
  EXPECT_EQ(body.count("/usage/output_tokens"), 5);
  EXPECT_EQ(body.count("/usage/output_tokens_details/reasoning_tokens"), 2);
}

TEST(responses, a_stream_has_numbered_events_with_their_types) {
  auto events = events_of(all_events(responses_format(), three_deltas()));
  EXPECT_THAT(types_of(events),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.content_part.added", "response.output_text.delta",
                          "response.output_text.delta", "response.output_text.delta",
                          "response.output_text.done", "response.content_part.done",
                          "response.output_item.done", "response.completed"));
  std::string text;
  for (std::size_t i = 0; i < events.size(); ++i) {
    document data{events[i].data};
    EXPECT_EQ(data.text("/type"), events[i].type);
    EXPECT_EQ(data.count("/sequence_number"), static_cast<std::int64_t>(i));
    if (data.has("/delta"))
      text += data.text("/delta");
  }
  EXPECT_EQ(text, "one\ntwo\"3");
  EXPECT_EQ(document{events[7].data}.text("/text"), text);
  EXPECT_EQ(document{events.back().data}.text("/response/output/0/content/0/text"), text);
  EXPECT_EQ(document{events.back().data}.count("/response/usage/total_tokens"), 15);
}

TEST(messages, a_body_has_text_and_usage) {
  document body{messages_format().body(three_deltas())};
  EXPECT_EQ(body.text("/content/0/text"), "one\ntwo\"3");
  EXPECT_EQ(body.text("/stop_reason"), "end_turn");
  EXPECT_EQ(body.count("/usage/input_tokens"), 6) << "those that came from no cache";
  EXPECT_EQ(body.count("/usage/cache_read_input_tokens"), 4);
  EXPECT_EQ(body.count("/usage/output_tokens"), 5);
}

TEST(messages, a_stream_goes_from_message_start_to_message_stop) {
  auto events = events_of(all_events(messages_format(), three_deltas()));
  EXPECT_THAT(types_of(events),
              ElementsAre("message_start", "content_block_start", "ping", "content_block_delta",
                          "content_block_delta", "content_block_delta", "content_block_stop",
                          "message_delta", "message_stop"));
  std::string text;
  for (auto& event : events) {
    document data{event.data};
    EXPECT_EQ(data.text("/type"), event.type);
    if (data.has("/delta/text"))
      text += data.text("/delta/text");
  }
  EXPECT_EQ(text, "one\ntwo\"3");
  EXPECT_EQ(document{events[0].data}.count("/message/usage/input_tokens"), 6);
  EXPECT_EQ(document{events[7].data}.count("/usage/output_tokens"), 5);
}

TEST(generate_content, a_body_has_text_and_usage) {
  document body{generate_content_format().body(three_deltas())};
  EXPECT_EQ(body.text("/candidates/0/content/parts/0/text"), "one\ntwo\"3");
  EXPECT_EQ(body.text("/candidates/0/finishReason"), "STOP");
  EXPECT_EQ(body.count("/usageMetadata/candidatesTokenCount"), 3);
  EXPECT_EQ(body.count("/usageMetadata/thoughtsTokenCount"), 2);
  EXPECT_EQ(body.count("/usageMetadata/cachedContentTokenCount"), 4);
  EXPECT_EQ(body.count("/usageMetadata/totalTokenCount"), 15);
}

TEST(generate_content, the_last_event_of_a_stream_has_reason_and_usage) {
  auto events = events_of(all_events(generate_content_format(), three_deltas()));
  ASSERT_EQ(events.size(), 3u);
  std::string text;
  for (auto& event : events)
    text += document{event.data}.text("/candidates/0/content/parts/0/text");
  EXPECT_EQ(text, "one\ntwo\"3");
  EXPECT_FALSE(document{events[1].data}.has("/usageMetadata"));
  EXPECT_EQ(document{events[2].data}.text("/candidates/0/finishReason"), "STOP");
  EXPECT_EQ(document{events[2].data}.count("/usageMetadata/promptTokenCount"), 10);
}

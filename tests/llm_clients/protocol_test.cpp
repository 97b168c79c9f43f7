// What all protocols have in common: parameters of a server's own, and what is charged where a
// server does not say it.
#include "llm_clients/protocol.hpp"

#include "llm_clients/mailbox.hpp"
#include "tests/llm_clients/protocol_fixture.hpp"

using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::EndsWith;
using testing::HasSubstr;

namespace {

model_config model_of(provider_kind provider, const std::string& api = "chat") {
  auto result = priced_model(provider);
  result.api = api;
  return result;
}

model_config with_extra(model_config x, const std::string& extra) {
  x.extra = extra;
  return x;
}

/// What has come of a stream whose data these are.
partial_answer heard(const model_config& model, const std::vector<std::string>& events) {
  partial_answer result;
  for (const auto& data : events)
    EXPECT_FALSE(read_event(protocol_of(model), model, {{}, data}, result)) << data;
  return result;
}

std::int64_t charged(const model_config& model, const std::vector<std::string>& events) {
  return read_stopped_stream(model, question(), heard(model, events)).cost.output_tokens;
}

std::string chat_delta(const std::string& member, const std::string& words) {
  return R"({"choices":[{"delta":{")" + member + R"(":")" + words + R"("}}]})";
}

std::string gemini_part(const std::string& words, const std::string& more) {
  return R"({"candidates":[{"content":{"parts":[{"text":")" + words + R"("}]}}])" + more + "}";
}

} // namespace

// -- parameters of a server's own ---------------------------------------------------------

TEST(protocol, extra_members_are_in_every_body) {
  const auto extra = R"({"top_k":20,"provider":{"order":["a","b"],"allow_fallbacks":false}})";
  for (const auto& x :
       {model_of(provider_kind::openai), model_of(provider_kind::openai, "responses"),
        model_of(provider_kind::anthropic), model_of(provider_kind::gemini)}) {
    body_of body{with_extra(x, extra), question()};
    EXPECT_EQ(body["top_k"].get_int64().value(), 20) << body.text();
    EXPECT_EQ(body.at("/provider/order/1"), "b");
    EXPECT_FALSE(body["provider"]["allow_fallbacks"].get_bool().value());
    EXPECT_THAT(body.text(), HasSubstr("hello")) << "all else is still there";
    EXPECT_THAT(body.text(), HasSubstr("500"));
    EXPECT_THAT(body.text(), HasSubstr("be brief"));
  }
}

TEST(protocol, a_line_of_a_mailbox_has_them_too) {
  auto box = with_extra(model_of(provider_kind::mailbox), R"({"top_p":0.9})");
  EXPECT_THAT(batch_line(box, question()), HasSubstr(R"("top_p":0.9,)"));
}

TEST(protocol, no_extra_changes_no_body) {
  for (auto extra : {"", "{}"}) {
    auto x = model_of(provider_kind::openai);
    EXPECT_EQ(body_of(with_extra(x, extra), question()).text(), body_of(x, question()).text());
    auto gemini = model_of(provider_kind::gemini);
    EXPECT_EQ(body_of(with_extra(gemini, extra), question()).text(),
              body_of(gemini, question()).text());
  }
}

TEST(protocol, geminis_settings_are_put_beside_ours) {
  auto x = with_extra(model_of(provider_kind::gemini),
                      R"({"generationConfig":{"topP":0.9,"seed":7},"safetySettings":[]})");
  x.temperature = 0.5;
  body_of body{x, question()};
  auto settings = body["generationConfig"];
  EXPECT_EQ(settings["topP"].get_double().value(), 0.9);
  EXPECT_EQ(settings["seed"].get_int64().value(), 7);
  EXPECT_EQ(settings["temperature"].get_double().value(), 0.5);
  EXPECT_EQ(settings["maxOutputTokens"].get_int64().value(), 500);
  EXPECT_EQ(body["safetySettings"].get_array().error(), simdjson::SUCCESS);
  auto text = body.text();
  EXPECT_EQ(text.find("generationConfig"), text.rfind("generationConfig"));
}

// -- what has come so far -----------------------------------------------------------------

TEST(protocol, what_comes_is_counted_as_it_comes) {
  auto chat = model_of(provider_kind::openai);
  auto x = heard(chat, {R"({"choices":[{"delta":{"role":"assistant","content":""}}]})",
                        chat_delta("reasoning_content", "hm"), chat_delta("reasoning", "so"),
                        chat_delta("content", "hi "), chat_delta("content", "there"),
                        R"({"choices":[]})"});
  EXPECT_EQ(x.deltas, 4) << "an empty one is a sign of life, and no token";
  EXPECT_EQ(x.text, "hi there");
  EXPECT_TRUE(x.thought);

  x = heard(model_of(provider_kind::openai, "responses"),
            {R"({"type":"response.created","response":{"status":"in_progress"}})",
             R"({"type":"response.reasoning_summary_text.delta","delta":"hm"})",
             R"({"type":"response.output_text.delta","delta":"hi"})"});
  EXPECT_EQ(x.deltas, 2);
  EXPECT_TRUE(x.thought);

  x = heard(model_of(provider_kind::anthropic),
            {R"({"type":"message_start","message":{"model":"m","usage":{"input_tokens":9}}})",
             R"({"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}})",
             R"({"type":"content_block_delta","delta":{"type":"signature_delta","signature":"x"}})",
             R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}})"});
  EXPECT_EQ(x.deltas, 2);
  EXPECT_TRUE(x.thought);

  x =
    heard(model_of(provider_kind::gemini),
          {R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"hi"}]}}]})",
           gemini_part("there", "")});
  EXPECT_EQ(x.deltas, 3);
  EXPECT_TRUE(x.thought);
  EXPECT_EQ(x.text, "hithere");
}

// -- what is charged without usage ----------------------------------------------------------

TEST(protocol, a_delta_may_be_many_tokens_so_bytes_are_charged) {
  auto x = model_of(provider_kind::openai);
  EXPECT_EQ(charged(x, {chat_delta("content", "0123456789"), chat_delta("content", "01234")}), 15);
  x.max_output_tokens = 12;
  EXPECT_EQ(charged(x, {chat_delta("content", "0123456789"), chat_delta("content", "01234")}), 12);
}

TEST(protocol, who_has_thought_may_have_used_up_all_tokens) {
  auto x = model_of(provider_kind::openai);
  EXPECT_EQ(charged(x, {chat_delta("reasoning", "hm"), chat_delta("content", "hi")}), 500)
    << "what is shown may be a summary";
  const auto* whole = R"({"choices":[{"message":{"content":"hi","reasoning_content":"hm"}}]})";
  EXPECT_EQ(answer_in(read(x, whole)).cost.output_tokens, 500);
}

TEST(protocol, who_may_have_thought_is_charged_for_all_tokens) {
  auto hi = std::vector{chat_delta("content", "hi")};
  auto x = model_of(provider_kind::openai);
  EXPECT_EQ(charged(x, hi), 2);
  for (auto extra : {R"({"reasoning":{"max_tokens":2000}})", R"({"thinking":{"type":"enabled"}})",
                     R"({"chat_template_kwargs":{"enable_thinking":true}})"})
    EXPECT_EQ(charged(with_extra(x, extra), hi), 500) << extra;
  for (auto extra : {R"({"top_p":0.9})", R"({"chat_template_kwargs":{"enable_thinking":false}})",
                     R"({"thinking":{"type":"disabled"}})", R"({"reasoning":{"enabled":false}})"})
    EXPECT_EQ(charged(with_extra(x, extra), hi), 2) << extra;
  x.reasoning_effort = "low";
  EXPECT_EQ(charged(x, hi), 500);
  auto gemini = model_of(provider_kind::gemini);
  gemini.thinking_tokens = -1;
  EXPECT_EQ(charged(gemini, {gemini_part("hi", "")}), 500);
}

TEST(protocol, thoughts_that_were_counted_with_the_last_part_are_known) {
  auto x = model_of(provider_kind::gemini);
  x.can.reasons = true;
  const std::string counted = R"(,"usageMetadata":{"promptTokenCount":10,"thoughtsTokenCount":100,)"
                              R"("candidatesTokenCount":3})";
  auto first = gemini_part("first", counted);
  EXPECT_EQ(charged(x, {first}), 105) << "its thoughts, and a token a byte of the text";
  EXPECT_EQ(charged(x, {first, gemini_part(" more", "")}), 500)
    << "of what came since, nobody knows how much was thought";
  auto chat = model_of(provider_kind::openai);
  EXPECT_EQ(charged(chat, {chat_delta("reasoning", "hm"),
                           R"({"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":1,
                             "completion_tokens":42,"completion_tokens_details":
                             {"reasoning_tokens":40}}})"}),
            42);
}

TEST(protocol, what_a_server_counted_is_not_charged_less) {
  auto x = model_of(provider_kind::openai);
  EXPECT_EQ(charged(x, {R"({"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":1,
                          "completion_tokens":42}})"}),
            42);
}

// -- usage that cannot be so ------------------------------------------------------------------

namespace {

const std::string words(300, 'x');

/// What a finished answer of the chat API costs that holds `text` and such a member `usage`.
spend chat_cost(const std::string& usage, const std::string& text = words) {
  const auto choice = R"({"content":")" + text + R"("},"finish_reason":"stop"}])";
  auto x = model_of(provider_kind::openai);
  auto whole = answer_in(read(x, R"({"choices":[{"message":)" + choice + usage + "}")).cost;
  auto streamed = answer_in(read_stream(x, {R"({"choices":[{"delta":)" + choice + usage + "}"}));
  EXPECT_EQ(whole.usd, streamed.cost.usd) << usage;
  return whole;
}

spend responses_cost(const std::string& usage) {
  return answer_in(read(model_of(provider_kind::openai, "responses"),
                        R"({"status":"completed","output":[{"content":[{"text":")" + words
                          + R"("}]}])" + usage + "}"))
    .cost;
}

spend anthropic_cost(const std::string& usage) {
  return answer_in(read(model_of(provider_kind::anthropic),
                        R"({"content":[{"text":")" + words + R"("}])" + usage + "}"))
    .cost;
}

spend gemini_cost(const std::string& usage) {
  return answer_in(read(model_of(provider_kind::gemini),
                        R"({"candidates":[{"content":{"parts":[{"text":")" + words
                          + R"("}]},"finishReason":"STOP"}])" + usage + "}"))
    .cost;
}

} // namespace

TEST(protocol, usage_without_the_counts_that_cost_money_is_none) {
  const auto bound = chat_cost("");
  EXPECT_EQ(bound.output_tokens, 300);
  for (auto usage :
       {"{}", "[]", "7", R"({"total_tokens":1000})", R"({"prompt_tokens":100})",
        R"({"completion_tokens":200})", R"({"prompt_tokens":null,"completion_tokens":null})",
        R"({"prompt_tokens":"100","completion_tokens":"200"})",
        R"({"prompt_tokens":100,"completion_tokens":-200})",
        R"({"prompt_tokens":-100,"completion_tokens":200})",
        R"({"prompt_tokens":100,"completion_tokens":200.5})",
        R"({"prompt_tokens":100,"completion_tokens":null,"total_tokens":90})",
        R"({"input_tokens":100,"output_tokens":200})"}) {
    auto x = chat_cost(R"(,"usage":)" + std::string{usage});
    EXPECT_EQ(x.usd, bound.usd) << usage;
    EXPECT_EQ(x.input_tokens, bound.input_tokens) << usage;
  }
  for (auto usage : {"{}", R"({"input_tokens":100})", R"({"output_tokens":200})",
                     R"({"input_tokens":100,"output_tokens":null})"}) {
    auto member = R"(,"usage":)" + std::string{usage};
    EXPECT_EQ(responses_cost(member).usd, bound.usd) << usage;
    EXPECT_EQ(anthropic_cost(member).usd, bound.usd) << usage;
  }
  for (auto usage : {"{}", R"({"promptTokenCount":100})", R"({"candidatesTokenCount":200})",
                     R"({"promptTokenCount":100,"totalTokenCount":100})"})
    EXPECT_EQ(gemini_cost(R"(,"usageMetadata":)" + std::string{usage}).usd, bound.usd) << usage;
}

TEST(protocol, what_is_counted_in_such_usage_is_not_charged_less) {
  EXPECT_EQ(chat_cost(R"(,"usage":{"completion_tokens":400})").output_tokens, 400);
}

TEST(protocol, text_that_took_hardly_any_tokens_is_not_believed) {
  const auto bound = chat_cost("").usd;
  for (auto usage : {R"({"prompt_tokens":0,"completion_tokens":0,"total_tokens":0})",
                     R"({"prompt_tokens":100,"completion_tokens":0,"total_tokens":100})",
                     R"({"prompt_tokens":100,"completion_tokens":2,"total_tokens":102})",
                     R"({"prompt_tokens":0,"completion_tokens":200})"})
    EXPECT_EQ(chat_cost(R"(,"usage":)" + std::string{usage}).usd, bound) << usage;
  const auto* none = R"(,"usage":{"input_tokens":0,"output_tokens":0})";
  EXPECT_EQ(responses_cost(none).usd, bound);
  EXPECT_EQ(anthropic_cost(none).usd, bound);
  EXPECT_EQ(
    gemini_cost(R"(,"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":0})").usd,
    bound);
}

TEST(protocol, text_beside_thoughts_took_tokens_of_its_own) {
  auto x = chat_cost(R"(,"usage":{"prompt_tokens":100,"completion_tokens":40,
                        "completion_tokens_details":{"reasoning_tokens":40}})");
  EXPECT_EQ(x.output_tokens, 340);
  EXPECT_EQ(gemini_cost(R"(,"usageMetadata":{"promptTokenCount":100,"thoughtsTokenCount":40})")
              .output_tokens,
            340);
}

TEST(protocol, an_answer_without_text_may_have_taken_nothing) {
  EXPECT_EQ(chat_cost(R"(,"usage":{"prompt_tokens":100,"completion_tokens":0})", "").usd, 100e-6);
  EXPECT_EQ(chat_cost(R"(,"usage":{"prompt_tokens":0,"completion_tokens":0})", "").usd, 0);
}

TEST(protocol, a_whole_number_may_have_a_decimal_point) {
  auto x = chat_cost(R"(,"usage":{"prompt_tokens":100.0,"completion_tokens":2e2})");
  EXPECT_EQ(x.input_tokens, 100);
  EXPECT_EQ(x.output_tokens, 200);
}

TEST(protocol, a_sum_says_what_the_output_took) {
  auto x =
    chat_cost(R"(,"usage":{"prompt_tokens":100,"completion_tokens":null,"total_tokens":300})");
  EXPECT_EQ(x.input_tokens, 100);
  EXPECT_EQ(x.output_tokens, 200);
  EXPECT_EQ(responses_cost(R"(,"usage":{"input_tokens":100,"total_tokens":300})").output_tokens,
            200);
  EXPECT_EQ(gemini_cost(R"(,"usageMetadata":{"promptTokenCount":100,"thoughtsTokenCount":40,)"
                        R"("totalTokenCount":300})")
              .output_tokens,
            200);
}

TEST(protocol, usage_that_knows_nothing_of_the_last_words_is_none) {
  auto x = model_of(provider_kind::gemini);
  const std::string counted =
    R"(,"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1})";
  auto y = answer_in(
    read_stream(x, {gemini_part("h", counted), gemini_part(words, R"(,"usageMetadata":null)"),
                    R"({"candidates":[{"finishReason":"STOP"}],"usageMetadata":null})"}));
  EXPECT_EQ(y.cost.output_tokens, 301);
}

// -- bodies of any kind -----------------------------------------------------------------------

TEST(protocol, a_compressed_answer_is_named_and_not_asked_for_again) {
  const std::map<std::string, std::string> gzip{{"content-encoding", "gzip"}};
  auto x = failure_in(read(model_of(provider_kind::openai), "\x1f\x8b\x08", 200, gzip));
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_TRUE(x.may_be_charged);
  EXPECT_THAT(x.sentence, HasSubstr("compressed (Content-Encoding: gzip)"));
  auto plain = R"({"choices":[{"message":{"content":"hi"}}]})";
  for (auto none : {"identity", "Identity", ""})
    EXPECT_EQ(
      answer_in(read(model_of(provider_kind::openai), plain, 200, {{"content-encoding", none}}))
        .text,
      "hi")
      << none;
}

TEST(protocol, a_compressed_complaint_leaves_its_status) {
  const std::map<std::string, std::string> gzip{{"content-encoding", "gzip"}, {"retry-after", "3"}};
  auto x = failure_in(read(model_of(provider_kind::openai), "\x1f\x8b\x08 zip", 400, gzip));
  EXPECT_EQ(x.kind, failure_kind::refuse);
  EXPECT_FALSE(x.may_be_charged);
  EXPECT_THAT(x.sentence, EndsWith("the server refuses (HTTP 400): its words are compressed "
                                   "(Content-Encoding: gzip)"));
  auto busy = failure_in(read(model_of(provider_kind::openai), "\x1f\x8b", 429, gzip));
  EXPECT_EQ(busy.kind, failure_kind::retry);
  EXPECT_EQ(busy.retry_after.count(), 3000);
}

TEST(protocol, a_body_without_anything_is_called_that) {
  auto x = failure_in(read(model_of(provider_kind::openai), "", 204));
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_TRUE(x.may_be_charged);
  EXPECT_THAT(x.sentence, EndsWith("answered with nothing (HTTP 204)"));
}

TEST(protocol, a_body_may_begin_with_a_byte_order_mark) {
  EXPECT_EQ(answer_in(read(model_of(provider_kind::openai),
                           "\xEF\xBB\xBF"
                           R"({"choices":[{"message":{"content":"hi"}}]})"))
              .text,
            "hi");
}

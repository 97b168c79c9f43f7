// Servers that speak OpenAI's chat completions, each with its habits: one answer, whole and as a
// stream with its comments, and what its headers say of limits. What they say in errors is in
// server_failure_test.cpp.
#include "llm_clients/rate_limit.hpp"
#include "llm_clients/sse_reader.hpp"
#include "tests/llm_clients/protocol_fixture.hpp"

using namespace lathe;
using namespace lathe::llm_clients;
using namespace lathe::llm_clients::test;
using testing::HasSubstr;

namespace {

struct tokens {
  std::int64_t input = 0;
  std::int64_t cached = 0;
  std::int64_t output = 0;
  std::int64_t reasoning = 0;
};

struct server {
  const char* name;
  const char* whole;
  std::vector<std::string> stream; ///< data of events, and comments
  tokens taken;
};

// Each answers with "hi ä". The documents that shapes are from stand
// before them.
const server servers[] = {
  // OpenAI: API reference, "The chat completion object" and "The chat completion chunk object".
  {"OpenAI",
   R"({"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"m-1","choices":[
     {"index":0,"message":{"role":"assistant","content":"hi ä","refusal":null,"annotations":[]},
     "logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,
     "total_tokens":29,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},
     "completion_tokens_details":{"reasoning_tokens":6,"audio_tokens":0,
     "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"})",
   {R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,
      "delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":
      null}],"usage":null,"obfuscation":"x1"})",
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,
      "delta":{"content":"hi ä"},"logprobs":null,"finish_reason":null}],"usage":null,
      "obfuscation":"y"})",
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,
      "delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null,"obfuscation":"z"})",
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[],"usage":{
      "prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{
      "cached_tokens":8,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":6,
      "audio_tokens":0}},"obfuscation":""})",
    "[DONE]"},
   {19, 8, 10, 6}},
  // vLLM: vllm/entrypoints/openai, protocol.py and serving.py of chat completions, with
  // --enable-prompt-tokens-details.
  {"vLLM",
   R"({"id":"chatcmpl-1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":
     {"role":"assistant","content":"hi ä","refusal":null,"tool_calls":[],"reasoning":"hm"},
     "logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}],"usage":{
     "prompt_tokens":19,"total_tokens":29,"completion_tokens":10,"prompt_tokens_details":{
     "cached_tokens":16}},"prompt_logprobs":null,"kv_transfer_params":null})",
   {R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,
      "delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})",
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,
      "delta":{"reasoning":"hm","reasoning_content":"hm"},"logprobs":null,"finish_reason":null,
      "token_ids":null}]})",
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,
      "delta":{"content":"hi ä"},"logprobs":null,"finish_reason":"stop","stop_reason":null}]})",
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[],"usage":{
      "prompt_tokens":19,"total_tokens":29,"completion_tokens":10,"prompt_tokens_details":{
      "cached_tokens":16}}})",
    "[DONE]"},
   {19, 16, 10, 0}},
  // SGLang: srt/entrypoints/openai, usage_processor.py and protocol.py, with --enable-cache-report.
  {"SGLang",
   R"({"id":"1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,
     "message":{"role":"assistant","content":"hi ä","reasoning_content":"hm","tool_calls":null},
     "logprobs":null,"finish_reason":"stop","matched_stop":151645}],"usage":{"prompt_tokens":19,
     "total_tokens":29,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":8},
     "reasoning_tokens":6}})",
   {R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "role":"assistant","content":"","reasoning_content":null,"tool_calls":null},"logprobs":
      null,"finish_reason":null,"matched_stop":null}],"usage":null})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "role":null,"content":null,"reasoning_content":"hm","tool_calls":null},"finish_reason":
      null}],"usage":null})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "role":null,"content":"hi ä","reasoning_content":null,"tool_calls":null},"finish_reason":
      null}],"usage":null})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "role":null,"content":null},"finish_reason":"stop","matched_stop":151645}],"usage":null})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[],"usage":{
      "prompt_tokens":19,"total_tokens":29,"completion_tokens":10,"prompt_tokens_details":{
      "cached_tokens":8},"reasoning_tokens":6}})",
    "[DONE]"},
   {19, 8, 10, 6}},
  // llama.cpp: tools/server, README.md and server-task.cpp.
  {"llama.cpp",
   R"({"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant",
     "reasoning_content":"hm","content":"hi ä"}}],"created":1757141666,"model":"m-1",
     "system_fingerprint":"b6401","object":"chat.completion","usage":{"completion_tokens":10,
     "prompt_tokens":19,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":18}},"id":"c",
     "timings":{"cache_n":18,"prompt_n":1,"predicted_n":10,"predicted_per_second":52.9}})",
   {R"({"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":
      null}}],"created":1,"id":"c","model":"m-1","system_fingerprint":"b6401","object":
      "chat.completion.chunk"})",
    R"({"choices":[{"finish_reason":null,"index":0,"delta":{"reasoning_content":"hm"}}],"id":
      "c","model":"m-1","object":"chat.completion.chunk"})",
    R"({"choices":[{"finish_reason":null,"index":0,"delta":{"content":"hi ä"}}],"id":"c",
      "model":"m-1","object":"chat.completion.chunk"})",
    R"({"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"id":"c","model":"m-1",
      "object":"chat.completion.chunk"})",
    R"({"choices":[],"id":"c","model":"m-1","object":"chat.completion.chunk","usage":{
      "completion_tokens":10,"prompt_tokens":19,"total_tokens":29,"prompt_tokens_details":{
      "cached_tokens":18}},"timings":{"cache_n":18,"prompt_n":1,"predicted_n":10}})",
    "[DONE]"},
   {19, 18, 10, 0}},
  // Ollama: openai/openai.go and middleware/openai.go.
  {"Ollama",
   R"({"id":"chatcmpl-554","object":"chat.completion","created":1,"model":"m-1",
     "system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant",
     "content":"hi ä","reasoning":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,
     "completion_tokens":10,"total_tokens":29}})",
   {R"({"id":"chatcmpl-554","object":"chat.completion.chunk","created":1,"model":"m-1",
      "system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant",
      "content":"","reasoning":"hm"},"finish_reason":null}]})",
    R"({"id":"chatcmpl-554","object":"chat.completion.chunk","created":1,"model":"m-1",
      "system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":"hi ä"},
      "finish_reason":null}]})",
    R"({"id":"chatcmpl-554","object":"chat.completion.chunk","created":1,"model":"m-1",
      "system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{},"finish_reason":
      "stop"}]})",
    R"({"id":"chatcmpl-554","object":"chat.completion.chunk","created":1,"model":"m-1",
      "system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":19,
      "completion_tokens":10,"total_tokens":29}})",
    "[DONE]"},
   {19, 0, 10, 0}},
  // LiteLLM: litellm/types/utils.py (Usage, ModelResponseStream). Its last chunk has a choice.
  {"LiteLLM",
   R"({"id":"chatcmpl-1","created":1,"model":"m-1","object":"chat.completion",
     "system_fingerprint":null,"choices":[{"finish_reason":"stop","index":0,"message":{"content":
     "hi ä","role":"assistant","tool_calls":null,"function_call":null,"reasoning_content":"hm"}}],
     "usage":{"completion_tokens":10,"prompt_tokens":19,"total_tokens":29,
     "completion_tokens_details":{"accepted_prediction_tokens":null,"audio_tokens":null,
     "reasoning_tokens":6,"text_tokens":4},"prompt_tokens_details":{"audio_tokens":null,
     "cached_tokens":8,"text_tokens":null},"cache_creation_input_tokens":0,
     "cache_read_input_tokens":8}})",
   {R"({"id":"chatcmpl-1","created":1,"model":"m-1","object":"chat.completion.chunk","choices":
      [{"index":0,"delta":{"reasoning_content":"hm","content":"","role":"assistant"}}]})",
    R"({"id":"chatcmpl-1","created":1,"model":"m-1","object":"chat.completion.chunk","choices":
      [{"index":0,"delta":{"content":"hi ä"}}]})",
    R"({"id":"chatcmpl-1","created":1,"model":"m-1","object":"chat.completion.chunk","choices":
      [{"finish_reason":"stop","index":0,"delta":{}}]})",
    R"({"id":"chatcmpl-1","created":1,"model":"m-1","object":"chat.completion.chunk","choices":
      [{"index":0,"delta":{}}],"usage":{"completion_tokens":10,"prompt_tokens":19,
      "total_tokens":29,"completion_tokens_details":{"accepted_prediction_tokens":null,
      "reasoning_tokens":6},"prompt_tokens_details":{"cached_tokens":8}}})",
    "[DONE]"},
   {19, 8, 10, 6}},
  // OpenRouter: "API Reference: Responses" and "Usage Accounting". Comments are signs of life.
  {"OpenRouter",
   R"({"id":"gen-1","provider":"X","model":"m-1","object":"chat.completion","created":1,"choices":
     [{"logprobs":null,"finish_reason":"stop","native_finish_reason":"end_turn","index":0,
     "message":{"role":"assistant","content":"hi ä","refusal":null,"reasoning":"hm",
     "reasoning_details":[]}}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":
     29,"cost":0.95,"is_byok":false,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},
     "cost_details":{"upstream_inference_cost":null},"completion_tokens_details":{
     "reasoning_tokens":6}}})",
   {": OPENROUTER PROCESSING", ": OPENROUTER PROCESSING",
    R"({"id":"gen-1","provider":"X","model":"m-1","object":"chat.completion.chunk","created":1,
      "choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"hm"},
      "finish_reason":null,"native_finish_reason":null,"logprobs":null}]})",
    R"({"id":"gen-1","provider":"X","model":"m-1","object":"chat.completion.chunk","choices":[{
      "index":0,"delta":{"role":"assistant","content":"hi ä"},"finish_reason":null}]})",
    R"({"id":"gen-1","provider":"X","model":"m-1","object":"chat.completion.chunk","choices":[{
      "index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop",
      "native_finish_reason":"end_turn"}]})",
    R"({"id":"gen-1","provider":"X","model":"m-1","object":"chat.completion.chunk","choices":[{
      "index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{
      "prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"cost":0.95,
      "prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{
      "reasoning_tokens":6}}})",
    "[DONE]"},
   {19, 8, 10, 6}},
  // DeepSeek: "Create Chat Completion", "Context Caching". Comments are signs of life.
  {"DeepSeek",
   R"({"id":"1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,
     "message":{"role":"assistant","content":"hi ä","reasoning_content":"hm"},"logprobs":null,
     "finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":
     29,"completion_tokens_details":{"reasoning_tokens":6},"prompt_cache_hit_tokens":16,
     "prompt_cache_miss_tokens":3},"system_fingerprint":"fp_1"})",
   {": keep-alive",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "role":"assistant","content":null,"reasoning_content":""},"logprobs":null,"finish_reason":
      null}]})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "content":null,"reasoning_content":"hm"},"finish_reason":null}]})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "content":"hi ä","reasoning_content":null},"finish_reason":null}]})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "content":"","reasoning_content":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":
      19,"completion_tokens":10,"total_tokens":29,"completion_tokens_details":{
      "reasoning_tokens":6},"prompt_cache_hit_tokens":16,"prompt_cache_miss_tokens":3}})",
    "[DONE]"},
   {19, 16, 10, 6}},
  // Together: "Chat completions" of its API reference, where "eos" is one of the reasons.
  {"Together",
   R"({"id":"oc-1","object":"chat.completion","created":1,"model":"m-1","prompt":[],"choices":[{
     "finish_reason":"eos","seed":1273641686262356000,"logprobs":null,"index":0,"message":{"role":
     "assistant","content":"hi ä","tool_calls":[]}}],"usage":{"prompt_tokens":19,
     "completion_tokens":10,"total_tokens":29}})",
   {R"({"id":"oc-1","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"text":
      "hi ä","logprobs":null,"finish_reason":null,"seed":null,"delta":{"token_id":1,"role":
      "assistant","content":"hi ä","tool_calls":null}}],"model":"m-1","usage":null})",
    R"({"id":"oc-1","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"text":
      "","logprobs":null,"finish_reason":"eos","seed":1,"delta":{"token_id":2,"role":
      "assistant","content":"","tool_calls":null}}],"model":"m-1","usage":{"prompt_tokens":19,
      "completion_tokens":10,"total_tokens":29}})",
    "[DONE]"},
   {19, 0, 10, 0}},
  // Fireworks: "Create Chat Completion" and "Prompt caching"; usage comes with the reason to
  // finish.
  {"Fireworks",
   R"({"id":"1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,
     "message":{"role":"assistant","content":"hi ä","reasoning_content":"hm"},"finish_reason":
     "stop"}],"usage":{"prompt_tokens":19,"total_tokens":29,"completion_tokens":10,
     "prompt_tokens_details":{"cached_tokens":8}}})",
   {R"({"id":"1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{
      "index":0,"delta":{"role":"assistant","reasoning_content":"hm"},"finish_reason":null}],
      "usage":null})",
    R"({"id":"1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{
      "index":0,"delta":{"content":"hi ä"},"finish_reason":null}],"usage":null})",
    R"({"id":"1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{
      "index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"total_tokens":
      29,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":8}}})",
    "[DONE]"},
   {19, 8, 10, 0}},
  // Moonshot: "Chat" of its API reference. A stream has usage in its last choice.
  {"Moonshot",
   R"({"id":"1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,
     "message":{"role":"assistant","content":"hi ä","reasoning_content":"hm"},"finish_reason":
     "stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
     "cached_tokens":12}})",
   {R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      "role":"assistant","content":"hi ä"},"finish_reason":null}]})",
    R"({"id":"1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{
      },"finish_reason":"stop","usage":{"prompt_tokens":19,"completion_tokens":10,
      "total_tokens":29,"cached_tokens":12}}]})",
    "[DONE]"},
   {19, 12, 10, 0}},
  // A gateway to Gemini that does not count thoughts as completion (QuantumNous/new-api, #1103), as
  // xAI does not.
  {"a sum that tells of thoughts",
   R"({"model":"m-1","choices":[{"message":{"content":"hi ä"},"finish_reason":"stop"}],"usage":{
     "prompt_tokens":19,"completion_tokens":10,"total_tokens":129,"prompt_tokens_details":{
     "cached_tokens":0,"text_tokens":19},"completion_tokens_details":{"reasoning_tokens":100}}})",
   {R"({"model":"m-1","choices":[{"delta":{"content":"hi ä"},"finish_reason":"stop"}],"usage":{
      "prompt_tokens":19,"completion_tokens":10,"total_tokens":129,"completion_tokens_details":{
      "reasoning_tokens":100}}})",
    "[DONE]"},
   {19, 0, 110, 100}},
};

std::string event_stream_of(const std::vector<std::string>& all) {
  std::string result;
  for (const auto& x : all) {
    auto lines = (x.starts_with(':') ? "" : "data: ") + x;
    for (auto at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1))
      lines.insert(at + 1, "data: ");
    result += lines + "\n\n";
  }
  return result;
}

reply read_raw_stream(const model_config& model, const std::string& text) {
  sse_reader reader;
  partial_answer found;
  std::optional<failure> failed;
  reader.take(text, [&](const sse_event& event) {
    failed = read_event(protocol_of(model), model, event, found);
    return !failed;
  });
  return failed ? reply{*failed} : read_stream_end(model, question(), std::move(found));
}

void expect_greeting(const llm_answer& x, const tokens& taken) {
  EXPECT_EQ(x.text, "hi ä");
  EXPECT_EQ(x.model, "m-1");
  EXPECT_EQ(x.finish, "stop");
  EXPECT_EQ(x.cost.input_tokens, taken.input);
  EXPECT_EQ(x.cost.cached_input_tokens, taken.cached);
  EXPECT_EQ(x.cost.output_tokens, taken.output);
  EXPECT_EQ(x.cost.reasoning_tokens, taken.reasoning);
}

} // namespace

TEST(openai_servers, an_answer_that_came_whole_is_read_with_its_usage) {
  for (const auto& x : servers) {
    SCOPED_TRACE(x.name);
    expect_greeting(answer_in(read(priced_model(), x.whole)), x.taken);
  }
}

TEST(openai_servers, a_stream_is_read_with_its_usage) {
  for (const auto& x : servers) {
    SCOPED_TRACE(x.name);
    expect_greeting(answer_in(read_raw_stream(priced_model(), event_stream_of(x.stream))), x.taken);
  }
}

TEST(openai_servers, what_was_put_into_a_cache_has_its_price) {
  // OpenRouter, "Usage Accounting".
  auto x = answer_in(read(priced_model(), R"({"choices":[{"message":{"content":"a"},"finish_reason":
    "stop"}],"usage":{"completion_tokens":2,"cost":0.95,"prompt_tokens":194,"total_tokens":196,
    "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":100,"audio_tokens":0}}})"));
  EXPECT_DOUBLE_EQ(x.cost.usd, (94 * 1.0 + 100 * 1.25 + 2 * 10.0) / 1e6);
}

// -- what is no answer --------------------------------------------------------------------

TEST(openai_servers, half_an_answer_is_none) {
  // DeepSeek when it runs out of resources, SGLang and vLLM, OpenRouter.
  for (std::string reason : {"insufficient_system_resource", "abort", "error"}) {
    auto end = R"("finish_reason":")" + reason + R"("}],"usage":{"completion_tokens":9}})";
    auto whole =
      failure_in(read(priced_model(), R"({"choices":[{"message":{"content":"import to"},)" + end));
    auto streamed =
      failure_in(read_stream(priced_model(), {R"({"choices":[{"delta":{"content":"import to"}}]})",
                                              R"({"choices":[{"delta":{"content":""},)" + end}));
    for (const auto& x : {whole, streamed}) {
      EXPECT_EQ(x.kind, failure_kind::retry) << reason;
      EXPECT_TRUE(x.may_be_charged) << reason;
      EXPECT_THAT(x.sentence, HasSubstr("'" + reason + "'"));
    }
  }
}

TEST(openai_servers, an_error_in_a_choice_is_an_error) {
  // OpenRouter, "API Reference: Responses" and "Errors and Debugging": of whole answers it stands
  // in the choice, of streams beside it.
  auto whole = failure_in(read(priced_model(), R"({"choices":[{"finish_reason":"error","message":{
    "content":""},"error":{"code":502,"message":"Provider returned error"}}]})"));
  EXPECT_EQ(whole.status, 502u);
  EXPECT_THAT(whole.sentence, HasSubstr("Provider returned error"));
  EXPECT_TRUE(whole.may_be_charged);
  auto streamed = failure_in(
    read_stream(priced_model(), {R"({"choices":[{"delta":{"content":"a"}}]})",
                                 R"({"error":{"code":"server_error","message":"Provider gone"},
      "choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]})"}));
  EXPECT_EQ(streamed.kind, failure_kind::retry);
  EXPECT_THAT(streamed.sentence, HasSubstr("Provider gone"));
  EXPECT_TRUE(streamed.may_be_charged);
}

TEST(openai_servers, an_error_in_a_stream_counts_as_the_status_that_it_names) {
  // SGLang and vLLM with a number, LiteLLM with a text.
  for (auto body : {R"({"error":{"object":"error","message":"busy","type":"E","code":503}})",
                    R"({"error":{"message":"busy","type":"None","param":"None","code":"503"}})"})
    EXPECT_EQ(failure_in(read_stream(priced_model(), {body})).status, 503u) << body;
}

// -- headers --------------------------------------------------------------------------------

namespace {

struct limits {
  const char* server;
  std::map<std::string, std::string> headers;
  std::string seen; ///< "kind limit remaining", each with a comma behind it
};

std::string seen_in(const std::map<std::string, std::string>& headers) {
  rate_limit subject{{}};
  subject.observe(rate_limit::time_point{std::chrono::hours{1}}, headers);
  std::string result;
  for (const auto& x : subject.seen())
    result += std::string{to_string(x.kind)} + " " + std::to_string(x.limit.value_or(-1)) + " "
              + std::to_string(x.remaining.value_or(-1)) + ",";
  return result;
}

} // namespace

TEST(openai_servers, what_headers_say_of_limits_is_heard) {
  const limits all[] = {
    // "Rate limits" of OpenAI and of Groq.
    {"OpenAI",
     {{"x-ratelimit-limit-requests", "60"},
      {"x-ratelimit-remaining-requests", "59"},
      {"x-ratelimit-reset-requests", "1s"},
      {"x-ratelimit-limit-tokens", "150000"},
      {"x-ratelimit-remaining-tokens", "149984"},
      {"x-ratelimit-reset-tokens", "6m0s"}},
     "requests 60 59,tokens 150000 149984,"},
    {"Groq",
     {{"x-ratelimit-limit-requests", "14400"},
      {"x-ratelimit-remaining-requests", "14370"},
      {"x-ratelimit-reset-requests", "2m59.56s"},
      {"x-ratelimit-limit-tokens", "18000"},
      {"x-ratelimit-remaining-tokens", "17997"},
      {"x-ratelimit-reset-tokens", "7.66s"}},
     "requests 14400 14370,tokens 18000 17997,"},
    // LiteLLM, "Response headers".
    {"LiteLLM",
     {{"x-ratelimit-remaining-requests", "9"},
      {"x-ratelimit-limit-requests", "10"},
      {"x-ratelimit-remaining-tokens", "900"},
      {"x-ratelimit-limit-tokens", "1000"},
      {"llm_provider-x-ratelimit-limit-tokens", "5"}},
     "requests 10 9,tokens 1000 900,"},
    // Fireworks, "Rate limits" of its serverless models.
    {"Fireworks",
     {{"x-ratelimit-limit-tokens-prompt", "3600000"},
      {"x-ratelimit-remaining-tokens-prompt", "3599000"},
      {"x-ratelimit-limit-tokens-cache-adjusted-prompt", "900000"},
      {"x-ratelimit-limit-tokens-generated", "36000"}},
     "input tokens 3600000 3599000,output tokens 36000 -1,"},
    // Cerebras, "Rate Limits".
    {"Cerebras",
     {{"x-ratelimit-limit-requests-day", "2400"},
      {"x-ratelimit-remaining-requests-day", "2397"},
      {"x-ratelimit-limit-tokens-minute", "30000"},
      {"x-ratelimit-remaining-tokens-minute", "13381"},
      {"x-ratelimit-reset-tokens-minute", "11.38"}},
     "tokens 30000 13381,"},
    // Qianfan, "Chat completions" of its API, version 2.
    {"Qianfan",
     {{"x-ratelimit-limit-requests", "60"},
      {"x-ratelimit-limit-input-tokens", "300000"},
      {"x-ratelimit-remaining-input-tokens", "299000"},
      {"x-ratelimit-limit-output-tokens", "100000"}},
     "requests 60 -1,input tokens 300000 299000,output tokens 100000 -1,"},
    // Of a second, and of whatever has run out: as a minute's, both would be wrong.
    {"Together",
     {{"x-ratelimit-limit", "10"}, {"x-ratelimit-remaining", "9"}, {"x-tokenlimit-limit", "3000"}},
     ""},
    {"OpenRouter",
     {{"x-ratelimit-limit", "20"},
      {"x-ratelimit-remaining", "0"},
      {"x-ratelimit-reset", "1746198480000"}},
     ""},
  };
  for (const auto& x : all)
    EXPECT_EQ(seen_in(x.headers), x.seen) << x.server;
}

#include "llm_clients/server_failure.hpp"

#include <gmock/gmock.h>

#include <span>

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

namespace {

failure failure_to(unsigned status, const std::string& body,
                   const std::map<std::string, std::string>& headers = {}) {
  model_config model;
  model.name = "strong";
  return failure_of(model, status, complaint_in(body), headers);
}

} // namespace

TEST(server_failure, every_status_has_its_meaning) {
  using enum failure_kind;
  const std::map<unsigned, failure_kind> expected = {
    {301, fail},  {400, refuse}, {401, fail},   {402, fail},   {403, fail},
    {404, fail},  {408, retry},  {413, refuse}, {422, refuse}, {429, retry},
    {500, retry}, {502, retry},  {503, retry},  {529, retry}};
  for (auto [status, kind] : expected) {
    auto x = failure_to(status, R"({"error":{"message":"because"}})");
    EXPECT_EQ(x.kind, kind) << status;
    EXPECT_EQ(x.may_be_charged, status == 408) << status;
    EXPECT_THAT(x.sentence, HasSubstr("(HTTP " + std::to_string(status) + "): because"));
    EXPECT_THAT(x.sentence, HasSubstr("'strong'"));
  }
}

TEST(server_failure, a_redirect_leads_somewhere) {
  for (auto status : {301u, 302u, 307u, 308u}) {
    auto x = failure_to(status, "", {{"location", "https://u:pw@elsewhere.org/"}});
    EXPECT_EQ(x.kind, failure_kind::fail) << status;
    EXPECT_THAT(x.sentence, HasSubstr("the server redirects")) << status;
    EXPECT_THAT(x.sentence, Not(HasSubstr("elsewhere"))) << status;
  }
  for (auto status : {101u, 300u, 302u, 304u}) {
    auto x = failure_to(status, "");
    EXPECT_EQ(x.kind, failure_kind::fail) << status;
    EXPECT_THAT(x.sentence, HasSubstr("neither an answer nor an error")) << status;
    EXPECT_THAT(x.sentence, Not(HasSubstr("redirects"))) << status;
  }
  EXPECT_THAT(failure_to(304, "", {{"location", "/"}}).sentence, Not(HasSubstr("redirects")));
}

TEST(server_failure, some_codes_say_more_than_their_status) {
  auto x = failure_to(429, R"({"error":{"message":"x","code":"insufficient_quota"}})");
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("no credit left (HTTP 429)"));
  EXPECT_EQ(failure_to(400, R"({"error":{"message":"x","code":"model_not_found"}})").kind,
            failure_kind::fail);
}

TEST(server_failure, what_is_said_of_a_question_closes_no_model) {
  auto flagged = R"({"error":{"message":"flagged","code":403,"metadata":{"reasons":["x"]}}})";
  EXPECT_EQ(failure_to(403, flagged).kind, failure_kind::refuse);
  EXPECT_EQ(failure_to(403, "<html>blocked</html>").kind, failure_kind::refuse);
  EXPECT_EQ(failure_to(403, R"({"error":{"message":"no"}})").kind, failure_kind::fail);
}

// -- what each server says ----------------------------------------------------------------
//
// Bodies as they came, or as documents and sources have them: reports in the repositories of the
// servers and of those who use them, sources (vLLM, SGLang, llama.cpp, Ollama, LiteLLM), and pages
// on errors (DeepSeek, OpenRouter, Fireworks, Anthropic, Google). Names are made up.

namespace {

struct said {
  const char* server;
  unsigned status;
  const char* body;
};

void expect_to_stop_everything(std::span<const said> all, const char* words) {
  for (const auto& [server, status, body] : all) {
    auto x = failure_to(status, body);
    EXPECT_EQ(x.kind, failure_kind::fail) << server;
    EXPECT_THAT(x.sentence, HasSubstr(words)) << server;
  }
}

const char* const quota_of_google =
  R"({"error":{"code":429,"message":"You exceeded your current quota.","status":)"
  R"("RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo",)"
  R"("retryDelay":"20s"}]}})";

} // namespace

TEST(server_failure, a_model_that_a_server_does_not_have_stops_everything) {
  const said all[] = {
    {"OpenAI", 404,
     R"({"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.",)"
     R"("type":"invalid_request_error","param":null,"code":"model_not_found"}})"},
    {"OpenAI, responses", 400,
     R"({"error":{"message":"The requested model 'gpt-9' does not exist.",)"
     R"("type":"invalid_request_error","param":"model","code":"model_not_found"}})"},
    {"Anthropic", 404,
     R"({"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}})"},
    {"Gemini", 404,
     R"({"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta, or )"
     R"(is not supported for generateContent.","status":"NOT_FOUND"}})"},
    {"vLLM", 404,
     R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError",)"
     R"("param":"model","code":404}})"},
    {"vLLM, older", 404,
     R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError",)"
     R"("param":null,"code":404})"},
    {"llama.cpp, router", 400,
     R"({"error":{"code":400,"message":"model not found","type":"invalid_request_error"}})"},
    {"Ollama", 404,
     R"({"error":{"message":"model \"x\" not found, try pulling it first","type":)"
     R"("not_found_error","param":null,"code":null}})"},
    {"LiteLLM", 400,
     R"({"error":{"message":"/chat/completions: Invalid model name passed in model=x. Call )"
     R"(`/v1/models` to view available models for your key.","type":"invalid_request_error",)"
     R"("param":"model","code":"400"}})"},
    {"LiteLLM, older", 400,
     R"({"error":{"message":"/chat/completions: Invalid model name passed in model=x.",)"
     R"("type":"invalid_request_error","param":null,"code":"400"}})"},
    {"LiteLLM, of DeepSeek", 400,
     R"({"error":{"message":"litellm.BadRequestError: DeepseekException - {\"error\":)"
     R"({\"message\":\"Model Not Exist\",\"type\":\"invalid_request_error\"}}","type":null,)"
     R"("param":null,"code":"400"}})"},
    {"OpenRouter", 400,
     R"({"error":{"message":"x/y is not a valid model ID","code":400},"user_id":"user_2x"})"},
    {"OpenRouter, without a provider", 404,
     R"({"error":{"message":"No endpoints found for x/y.","code":404},"user_id":"user_2x"})"},
    {"DeepSeek", 400,
     R"({"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,)"
     R"("code":"invalid_request_error"}})"},
    {"Together", 404,
     R"({"error":{"message":"Unable to access model x. Please visit https://api.together.xyz to )"
     R"(see the list of supported models.","type":"invalid_request_error","param":null,)"
     R"("code":"model_not_found"}})"},
    {"Together, dedicated", 400,
     R"({"id":"o","error":{"message":"Unable to access non-serverless model x. Please visit )"
     R"(https://api.together.ai to create and start a new dedicated endpoint for the model.",)"
     R"("type":"invalid_request_error","param":null,"code":"model_not_available"}})"},
    {"Fireworks", 404,
     R"({"error":{"message":"Model not found, inaccessible, and/or not deployed",)"
     R"("param":"model","code":"NOT_FOUND","type":"error"}})"},
    {"Mistral", 400,
     R"({"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,)"
     R"("code":"1500"})"},
  };
  expect_to_stop_everything(all, "does not know this model");
}

TEST(server_failure, a_wrong_key_stops_everything) {
  const said all[] = {
    {"OpenAI", 401,
     R"({"error":{"message":"Incorrect API key provided: sk-1.","type":"invalid_request_error",)"
     R"("param":null,"code":"invalid_api_key"}})"},
    {"Anthropic", 401,
     R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})"},
    {"Gemini", 400,
     R"({"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",)"
     R"("status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})"},
    {"vLLM, SGLang", 401, R"({"error":"Unauthorized"})"},
    {"llama.cpp", 401,
     R"({"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}})"},
    {"Ollama's cloud", 401, R"({"error":"unauthorized"})"},
    {"LiteLLM", 401,
     R"({"error":{"message":"Authentication Error, Invalid proxy server token passed.",)"
     R"("type":"token_not_found_in_db","param":"key","code":"401"}})"},
    {"OpenRouter", 401, R"({"error":{"message":"User not found.","code":401}})"},
    {"DeepSeek", 401,
     R"({"error":{"message":"Authentication Fails, Your api key: ****1 is invalid",)"
     R"("type":"authentication_error","param":null,"code":"invalid_request_error"}})"},
    {"Together", 401,
     R"({"error":{"message":"Invalid API key provided.","type":"invalid_request_error",)"
     R"("param":null,"code":"invalid_api_key"}})"},
    {"xAI", 400,
     R"({"code":"Client specified an invalid argument","error":"Incorrect API key provided: k."})"},
  };
  expect_to_stop_everything(all, "does not accept the key");
}

TEST(server_failure, an_account_without_credit_stops_everything) {
  const said all[] = {
    {"OpenAI", 429,
     R"({"error":{"message":"You exceeded your current quota, please check your plan and billing )"
     R"(details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})"},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is )"
     R"(too low to access the Anthropic API."}})"},
    {"Anthropic, a limit", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"You have reached your )"
     R"(specified API usage limits. You will regain access on 2026-09-01 at 00:00 UTC."}})"},
    {"Gemini", 429,
     R"({"error":{"code":429,"message":"Your prepayment credits are depleted. Please go to AI )"
     R"(Studio to manage your project and billing.","status":"RESOURCE_EXHAUSTED"}})"},
    {"LiteLLM", 400,
     R"({"error":{"message":"Budget has been exceeded! Current cost: 76.2, Max budget: 10.0",)"
     R"("type":"budget_exceeded","param":null,"code":"400"}})"},
    {"OpenRouter", 402, R"({"error":{"message":"Insufficient credits.","code":402}})"},
    {"DeepSeek", 402,
     R"({"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,)"
     R"("code":"invalid_request_error"}})"},
    {"Fireworks", 412,
     R"({"error":{"message":"Account x is suspended, possibly due to reaching the monthly )"
     R"(spending limit or failure to pay past invoices.","param":null,"code":)"
     R"("PRECONDITION_FAILED","type":"error"},"request_id":"1"})"},
  };
  expect_to_stop_everything(all, "no credit left");
}

TEST(server_failure, a_prompt_that_is_too_long_is_refused_alone) {
  const said all[] = {
    {"OpenAI", 400,
     R"({"error":{"message":"Your input exceeds the context window of this model.",)"
     R"("type":"invalid_request_error","param":"input","code":"context_length_exceeded"}})"},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":)"
     R"("prompt is too long: 208310 tokens > 200000 maximum"}})"},
    {"Anthropic, in bytes", 413,
     R"({"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}})"},
    {"Gemini", 400,
     R"({"error":{"code":400,"message":"The input token count (1100000) exceeds the maximum )"
     R"(number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}})"},
    {"vLLM", 400,
     R"({"error":{"message":"This model's maximum context length is 16384 tokens. However, you )"
     R"(requested 122946 tokens.","type":"BadRequestError","param":null,"code":400}})"},
    {"SGLang", 400,
     R"({"object":"error","message":"The input (9000 tokens) is longer than the model's context )"
     R"(length (8192 tokens).","type":"BadRequestError","param":null,"code":400})"},
    {"llama.cpp", 400,
     R"({"error":{"code":400,"message":"request (4476 tokens) exceeds the available context size )"
     R"x((4096 tokens)","type":"exceed_context_size_error","n_prompt_tokens":4476,"n_ctx":4096}})x"},
    {"Ollama", 400,
     R"({"error":{"message":"the input length exceeds the context length","type":)"
     R"("invalid_request_error","param":null,"code":null}})"},
    {"LiteLLM", 400,
     R"({"error":{"message":"litellm.ContextWindowExceededError: too much","type":null,)"
     R"("param":null,"code":"400"}})"},
    {"OpenRouter", 400,
     R"({"error":{"message":"This endpoint's maximum context length is 131072 tokens. However, )"
     R"(you requested about 200000 tokens.","code":400}})"},
    {"DeepSeek", 400,
     R"({"error":{"message":"This model's maximum context length is 65536 tokens.",)"
     R"("type":"invalid_request_error","param":null,"code":"invalid_request_error"}})"},
  };
  for (const auto& [server, status, body] : all) {
    auto x = failure_to(status, body);
    EXPECT_EQ(x.kind, failure_kind::refuse) << server;
    EXPECT_THAT(x.sentence, HasSubstr("too long")) << server;
    EXPECT_THAT(x.sentence, Not(HasSubstr("the server refuses"))) << server;
  }
}

TEST(server_failure, who_has_too_much_to_do_is_asked_again) {
  const said all[] = {
    {"OpenAI", 429,
     R"({"error":{"message":"Rate limit reached for gpt-5 on tokens per min.","type":"tokens",)"
     R"("param":null,"code":"rate_limit_exceeded"}})"},
    {"Anthropic", 529,
     R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"},
    {"Gemini", 503,
     R"({"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}})"},
    {"Gemini, too fast", 429, quota_of_google},
    {"llama.cpp", 503,
     R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})"},
    {"Ollama", 503,
     R"({"error":{"message":"server busy, please try again.  maximum pending requests exceeded",)"
     R"("type":"api_error","param":null,"code":null}})"},
    {"LiteLLM", 429,
     R"({"error":{"message":"No deployments available for selected model, Try again in 5 )"
     R"(seconds.","type":"None","param":"None","code":"429"}})"},
    {"OpenRouter", 429,
     R"({"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x is )"
     R"(temporarily rate-limited upstream.","provider_name":"Chutes"}}})"},
    {"DeepSeek", 503,
     R"({"error":{"message":"Service is too busy.","type":"service_unavailable_error",)"
     R"("param":null,"code":"service_unavailable_error"}})"},
    {"Fireworks", 503, R"({"error":{"message":"Service overloaded","code":"UNAVAILABLE"}})"},
  };
  for (const auto& [server, status, body] : all)
    EXPECT_EQ(failure_to(status, body).kind, failure_kind::retry) << server;
}

TEST(server_failure, words_that_a_prompt_may_hold_close_no_model) {
  for (auto message : {"messages.0: model not found in this text", "Invalid model",
                       "the key is too short", "NotFoundError"})
    EXPECT_EQ(failure_to(400, R"({"error":{"message":")" + std::string{message} + "\"}}").kind,
              failure_kind::refuse)
      << message;
}

TEST(server_failure, a_status_in_the_body_counts_where_http_says_that_all_is_well) {
  simdjson::dom::parser parser;
  auto within = [&](const std::string& body) {
    return failure_within({}, parser.parse(body).value());
  };
  for (auto code : {"429", R"("429")"}) { // LiteLLM has it in quotes
    auto x =
      within(R"({"error":{"message":"slowly","type":"None","code":)" + std::string{code} + "}}");
    EXPECT_EQ(x.status, 429u) << code;
    EXPECT_EQ(x.kind, failure_kind::retry) << code;
  }
  EXPECT_EQ(within(R"({"error":{"message":"x","code":"server_error"}})").status, 500u);
  EXPECT_EQ(within(R"({"error":{"message":"x","code":"99"}})").status, 500u);
}

TEST(server_failure, google_asks_for_time_in_the_body) {
  auto body = R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slowly",
    "details":[{"@type":"x"},{"retryDelay":"34.5s"}]}})";
  EXPECT_EQ(failure_to(429, body).retry_after, 34'500ms);
}

TEST(server_failure, complaints_are_found_in_many_shapes) {
  for (auto body : {R"({"error":"because"})", R"({"message":"because"})", R"({"detail":"because"})",
                    R"({"error":{"message":"because","code":7}})",
                    R"([{"error":{"message":"because"}}])", "because"})
    EXPECT_THAT(failure_to(400, body).sentence, HasSubstr(": because")) << body;
}

TEST(server_failure, a_long_complaint_is_cut_between_characters) {
  auto x = failure_to(400, "a" + std::string(1'000, 'b') + std::string("ääääääääääääääääääääää"));
  EXPECT_LT(x.sentence.size(), 1'200u);
  EXPECT_TRUE(simdjson::validate_utf8(x.sentence));
}

TEST(server_failure, a_complaint_is_one_line) {
  auto x = failure_to(500, R"({"error":{"message":"\n no\n\n\tconnection "}})");
  EXPECT_THAT(x.sentence, EndsWith("(HTTP 500): no connection "));
}

TEST(server_failure, what_cannot_be_printed_is_not_quoted) {
  EXPECT_EQ(quote("f\xfcr die Anfrage an den Server"), "f\xEF\xBF\xBDr die Anfrage an den Server");
  EXPECT_EQ(quote("a\x1b[31mred\x7f, \u0085x\u202Ey\uFEFF"), "a [31mred , x y ");
  EXPECT_EQ(quote("größer ≤ 3 🙂"), "größer ≤ 3 🙂");
  const std::string packed = {'\x1f', '\x8b', '\x08', '\0', '\0', '\0', 'a', '\xff', '\x03', 'q'};
  EXPECT_EQ(quote(packed), "(10 bytes that are no text)");
  for (std::size_t size : {1u, 2u, 3u, 4u, 5u, 1025u, 4096u}) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i)
      bytes += static_cast<char>(i % 16 == 0 ? 0xC3 : 'a');
    EXPECT_TRUE(simdjson::validate_utf8(quote(bytes))) << size;
    EXPECT_LE(quote(bytes).size(), 1024u) << size;
  }
}

TEST(server_failure, a_complaint_that_begins_with_a_byte_order_mark_is_read) {
  auto x = failure_to(400, "\xEF\xBB\xBF"
                           R"({"error":{"message":"because"}})");
  EXPECT_THAT(x.sentence, EndsWith("(HTTP 400): because"));
}

TEST(server_failure, html_is_called_html) {
  auto gateway = failure_to(502, "<html><body>Bad gateway</body></html>");
  EXPECT_EQ(gateway.kind, failure_kind::retry);
  EXPECT_THAT(gateway.sentence, HasSubstr("HTML page"));
  EXPECT_THAT(gateway.sentence, Not(HasSubstr("<body>")));
  EXPECT_TRUE(looks_like_html("\n<!DOCTYPE html>"));
  EXPECT_FALSE(looks_like_html("{}"));
}

TEST(server_failure, a_server_may_ask_for_time_in_three_ways) {
  EXPECT_EQ(retry_after({}, 0), 0ms);
  EXPECT_EQ(retry_after({{"retry-after", "2"}}, 0), 2s);
  EXPECT_EQ(retry_after({{"retry-after", "0.5"}}, 0), 500ms);
  EXPECT_EQ(retry_after({{"retry-after-ms", "70"}, {"retry-after", "2"}}, 0), 70ms);
  EXPECT_EQ(retry_after({{"retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"}}, 20), 40s);
  EXPECT_EQ(failure_to(429, "{}", {{"retry-after", "3"}}).retry_after, 3s);
}

TEST(server_failure, what_makes_no_sense_is_no_time) {
  for (auto text : {"", "soon", "-5", "nan", "Thu, 01 Jan 1970 00:00:10 GMT"})
    EXPECT_EQ(retry_after({{"retry-after", text}}, 20), 0ms) << text;
  EXPECT_EQ(retry_after({{"retry-after", "604800"}}, 0), 168h);
  for (auto text : {"604801", "1e300", "inf", "Fri, 01 Jan 2100 00:00:00 GMT"})
    EXPECT_EQ(retry_after({{"retry-after", text}}, 0), 0s) << text;
}

TEST(server_failure, a_delay_that_is_no_number_asks_for_nothing) {
  for (auto delay : {"nans", "-nans", "s", "", "x", "-5s", "infs", "1e9s"})
    EXPECT_EQ(
      complaint_in(R"({"error":{"details":[{"retryDelay":")" + std::string{delay} + "\"}]}}")
        .retry_after.count(),
      0)
      << delay;
}

#include "tools/llm_server/api.hpp"

#include <gmock/gmock.h>

using namespace lathe::llm_server;
using testing::HasSubstr;

namespace {

unsigned refused(std::string_view method, std::string_view target) {
  auto found = find_endpoint(method, target);
  return found ? 0 : found.error().status;
}

std::string complaint_about(std::string_view target, std::string_view body) {
  auto result = parse_question(*find_endpoint("POST", target), body);
  return result ? "" : result.error().sentence;
}

} // namespace

TEST(api, each_path_has_its_format) {
  EXPECT_EQ(find_endpoint("POST", "/v1/chat/completions")->format, &chat_completions_format());
  EXPECT_EQ(find_endpoint("POST", "/v1/responses?x=y")->format, &responses_format());
  EXPECT_EQ(find_endpoint("POST", "/v1/messages?beta=true")->format, &messages_format());
  EXPECT_EQ(find_endpoint("GET", "/v1/models")->format, nullptr);
}

TEST(api, gemini_says_much_in_the_path) {
  auto found =
    find_endpoint("POST", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?key=sk-1&alt=sse");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->from, provider::gemini);
  EXPECT_EQ(found->model, "gemini-2.5-pro");
  EXPECT_EQ(found->key, "sk-1");
  EXPECT_TRUE(found->stream);
  EXPECT_FALSE(find_endpoint("POST", "/v1beta/models/m:generateContent")->stream);
  EXPECT_EQ(find_endpoint("POST", "/v1/models/m:generateContent")->model, "m");
}

TEST(api, other_paths_and_methods_are_refused) {
  EXPECT_EQ(refused("GET", "/"), 404u);
  EXPECT_EQ(refused("POST", ""), 404u);
  EXPECT_EQ(refused("POST", "/v1/chat"), 404u);
  EXPECT_EQ(refused("GET", "/v1/chat/completions"), 405u);
  EXPECT_EQ(refused("POST", "/v1/models"), 405u);
  EXPECT_EQ(refused("POST", "/v1beta/models/m"), 404u);
  EXPECT_EQ(refused("POST", "/v1beta/models/:generateContent"), 404u);
  EXPECT_EQ(refused("POST", "/v1beta/models/m:countTokens"), 404u);
  EXPECT_EQ(refused("POST", "/v1beta/models/m\xff:generateContent"), 404u);
  EXPECT_EQ(refused("POST", "/v1beta/models/m:streamGenerateContent"), 400u);
}

TEST(api, a_question_is_read) {
  auto to = find_endpoint("POST", "/v1/chat/completions");
  auto asked = parse_question(*to, R"({"model": "m", "messages": [], "stream": true,
                                       "stream_options": {"include_usage": true}})");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->model, "m");
  EXPECT_TRUE(asked->stream);
  EXPECT_TRUE(asked->stream_usage);
  EXPECT_FALSE(parse_question(*to, R"({"model": "m", "messages": []})")->stream);
  EXPECT_TRUE(
    parse_question(*find_endpoint("POST", "/v1/responses"), R"({"model": "m", "input": "x"})"));
}

TEST(api, a_body_that_the_api_would_not_take_is_refused) {
  EXPECT_EQ(complaint_about("/v1/messages", ""), "The body is no JSON object.");
  EXPECT_EQ(complaint_about("/v1/messages", "[]"), "The body is no JSON object.");
  EXPECT_EQ(complaint_about("/v1/messages", R"({"messages": []})"), "The body names no 'model'.");
  EXPECT_EQ(complaint_about("/v1/messages", R"({"model": "m"})"), "The body has no 'messages'.");
  EXPECT_EQ(complaint_about("/v1/messages", R"({"model": "m", "messages": "x"})"),
            "'messages' is no list.");
  EXPECT_EQ(complaint_about("/v1/messages", R"({"model": "m", "messages": []})"),
            "The body has no 'max_tokens'.");
  EXPECT_EQ(complaint_about("/v1/responses", R"({"model": "m"})"), "The body has no 'input'.");
  EXPECT_EQ(complaint_about("/v1beta/models/m:generateContent", "{}"),
            "The body has no 'contents'.");
}

TEST(api, errors_have_each_providers_shape) {
  EXPECT_EQ(error_body(provider::openai, 401, "A \"key\"."),
            R"({"error":{"message":"A \"key\".","type":"invalid_request_error","param":null,)"
            R"("code":"invalid_api_key"}})");
  EXPECT_EQ(error_body(provider::anthropic, 529, "Full."),
            R"({"type":"error","error":{"type":"overloaded_error","message":"Full."}})");
  EXPECT_EQ(error_body(provider::gemini, 429, "Slow down."),
            R"({"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED"}})");
}

TEST(api, an_error_without_an_endpoint_has_the_shape_that_its_path_suggests) {
  EXPECT_EQ(provider_of("/v1beta/models/x"), provider::gemini);
  EXPECT_EQ(provider_of("/v1/models/x"), provider::gemini);
  EXPECT_EQ(provider_of("/v1/models"), provider::openai);
  EXPECT_EQ(provider_of("/v1/messages/batches"), provider::anthropic);
  EXPECT_EQ(provider_of("/x"), provider::openai);
}

TEST(api, there_are_models) {
  EXPECT_THAT(models_body(), HasSubstr(R"({"id":"llm-server-small","object":"model")"));
}

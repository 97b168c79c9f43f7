#include "llm_clients/gateway.hpp"

#include "messages/error.hpp"
#include "tests/support/llm_server_process.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>

// The gateway against a real server that answers in each API, as well or as badly as it is told.

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using test::llm_server_process;
using testing::HasSubstr;

namespace {

struct api {
  std::string name;
  provider_kind provider = provider_kind::openai;
  std::string kind = "chat";
  std::string path = "/v1";
};

const std::vector<api> apis = {{"chat"},
                               {"responses", provider_kind::openai, "responses"},
                               {"anthropic", provider_kind::anthropic},
                               {"gemini", provider_kind::gemini, "chat", "/v1beta"}};

// What came back from one question, and what the server saw of it.
struct result {
  llm_answer answer;
  caf::error problem;
  std::string seen;
};

result ask(std::vector<std::string> options, const api& spoken, bool stream) {
  llm_server_process server{LATHE_TEST_LLM_SERVER, std::move(options)};
  model_config model;
  model.name = "strong";
  model.model = "x-1";
  model.provider = spoken.provider;
  model.api = spoken.kind;
  model.base_url = server.address() + spoken.path;
  model.api_key = "sk-0123456789";
  model.stream = stream;
  model.timeout = 1.5;
  gateway_options options_of_gateway;
  options_of_gateway.models = {model};
  options_of_gateway.retry = {2, 1ms, 1ms, 60s, 1ms};
  caf::actor_system_config config;
  caf::actor_system system{config};
  result found;
  {
    auto gateway = spawn_gateway(system, std::move(options_of_gateway));
    caf::scoped_actor self{system};
    self
      ->request(gateway, 30s,
                llm_request{"mlp", 1, "coder", "coder", "strong", "be brief", "hello"})
      .receive([&](const llm_answer& x) { found.answer = x; },
               [&](const caf::error& x) { found.problem = x; });
    self->send_exit(gateway, caf::exit_reason::user_shutdown);
    self->wait_for(gateway);
  }
  found.seen = server.stop();
  return found;
}

} // namespace

TEST(llm_faults, each_api_is_understood_in_streams_and_whole) {
  for (const auto& spoken : apis)
    for (auto stream : {true, false}) {
      SCOPED_TRACE(spoken.name + (stream ? ", streamed" : ", whole"));
      auto x = ask({"--events", "7", "--text", "all is well", "--prompt-tokens", "100",
                    "--cached-tokens", "40", "--reasoning-tokens", "5", "--key", "sk-0123456789"},
                   spoken, stream);
      EXPECT_FALSE(x.problem) << describe(x.problem);
      EXPECT_EQ(x.answer.text, "all is well");
      EXPECT_EQ(x.answer.finish, "stop");
      EXPECT_EQ(x.answer.cost.input_tokens, 100);
      EXPECT_EQ(x.answer.cost.cached_input_tokens, 40);
      EXPECT_EQ(x.answer.cost.output_tokens, 12);
      EXPECT_THAT(x.seen, HasSubstr(fmt::format(R"("requests":1,"streams":{},)", stream ? 1 : 0)));
    }
}

TEST(llm_faults, a_wrong_key_is_not_tried_again) {
  for (const auto& spoken : apis) {
    SCOPED_TRACE(spoken.name);
    auto x = ask({"--key", "another"}, spoken, true);
    EXPECT_EQ(x.problem, errc::provider_refused);
    EXPECT_THAT(describe(x.problem), HasSubstr("does not accept the key"));
    EXPECT_THAT(x.seen, HasSubstr(R"("requests":1,)"));
  }
}

TEST(llm_faults, every_call_ends_as_documented) {
  struct fault {
    std::string error;
    std::string sentence;
    int requests = 2; // of two attempts
  };
  const std::vector<fault> faults = {
    {"status:429", "rate limit is reached .HTTP 429."},
    {"status:429,retry-after:1", "rate limit is reached .HTTP 429."},
    {"status:500", "the server has a problem .HTTP 500."},
    {"status:502-html", "an HTML page instead of JSON"},
    {"status:529", "the server has a problem .HTTP 529."},
    {"status:400", "the server refuses .HTTP 400.", 1},
    {"reset", "broke off before it answered"},
    {"cut", "broke off in the middle of an answer"},
    {"invalid-json", "not JSON"},
    {"large", "more than 33554432 bytes|too long"},
    {"slow-body", "gave no complete answer within 1.5 s"},
    {"hang", "gave no complete answer within 1.5 s"},
  };
  // At once: most of them wait.
  std::vector<std::pair<const fault*, std::future<result>>> asked;
  for (auto stream : {true, false})
    for (const auto& x : faults)
      asked.emplace_back(&x, std::async(std::launch::async, [&x, stream] {
        return ask({"--error", x.error}, apis[0], stream);
      }));
  for (auto& [x, answer] : asked) {
    SCOPED_TRACE(x->error);
    auto found = answer.get();
    EXPECT_EQ(found.problem, errc::provider_failed);
    EXPECT_THAT(describe(found.problem), testing::ContainsRegex(x->sentence));
    EXPECT_THAT(found.seen, HasSubstr(fmt::format(R"("requests":{},)", x->requests)));
  }
}

#include "llm_clients/gateway.hpp"

#include "messages/error.hpp"
#include "tests/support/http_server.hpp"
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
  spend spent; // by the run
  std::string seen;
};

constexpr std::int64_t most_output = 1'000; // [tokens]

result ask(model_config model) {
  model.name = "strong";
  model.model = "x-1";
  model.api_key = "sk-0123456789";
  model.max_output_tokens = most_output;
  model.price.output = 1'000; // a dollar for the most that an answer may hold
  gateway_options options;
  options.models = {std::move(model)};
  options.retry = {2, 1ms, 1ms, 60s, 1ms};
  caf::actor_system_config config;
  caf::actor_system system{config};
  result found;
  auto gateway = spawn_gateway(system, std::move(options));
  caf::scoped_actor self{system};
  self
    ->request(gateway, 30s, llm_request{"mlp", 1, "coder", "coder", "strong", "be brief", "hello"})
    .receive([&](const llm_answer& x) { found.answer = x; },
             [&](const caf::error& x) { found.problem = x; });
  self->request(gateway, 30s, status_atom_v)
    .receive(
      [&](const std::vector<account_status>& all) {
        for (const auto& x : all)
          if (x.who == payer{})
            found.spent = x.spent;
      },
      [&](const caf::error& x) { ADD_FAILURE() << describe(x); });
  self->send_exit(gateway, caf::exit_reason::user_shutdown);
  self->wait_for(gateway);
  return found;
}

result ask(std::vector<std::string> options, const api& spoken, bool stream, double timeout = 1.5) {
  llm_server_process server{LATHE_TEST_LLM_SERVER, std::move(options)};
  model_config model;
  model.timeout = timeout;
  model.provider = spoken.provider;
  model.api = spoken.kind;
  model.base_url = server.address() + spoken.path;
  model.stream = stream;
  auto found = ask(std::move(model));
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
      EXPECT_EQ(x.spent.queries, 1);
      EXPECT_EQ(x.spent.output_tokens, 12);
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
    int charged = 0;  // those of them that may be on the bill, which count as the dearest answer
    double timeout = 1.5;
  };
  const std::vector<fault> faults = {
    {"status:429", "rate limit is reached .HTTP 429."},
    {"status:429,retry-after:1", "rate limit is reached .HTTP 429."},
    {"status:500", "the server has a problem .HTTP 500."},
    {"status:502-html", "an HTML page instead of JSON"},
    {"status:529", "the server has a problem .HTTP 529."},
    {"status:400", "the server refuses .HTTP 400.", 1},
    {"reset", "broke off before it answered", 2, 2},
    {"cut", "broke off in the middle of an answer", 2, 2},
    {"invalid-json", "not JSON", 2, 2},
    {"large", "more than 33554432 bytes|too long", 2, 2, 60},
    {"slow-body", "gave no complete answer within 1.5 s", 2, 2},
    {"hang", "gave no complete answer within 1.5 s", 2, 2},
  };
  // At once: most of them wait.
  std::vector<std::pair<const fault*, std::future<result>>> asked;
  for (auto stream : {true, false})
    for (const auto& x : faults)
      asked.emplace_back(&x, std::async(std::launch::async, [&x, stream] {
        return ask({"--error", x.error}, apis[0], stream, x.timeout);
      }));
  for (auto& [x, answer] : asked) {
    SCOPED_TRACE(x->error);
    auto found = answer.get();
    EXPECT_EQ(found.problem, errc::provider_failed);
    EXPECT_THAT(describe(found.problem), testing::ContainsRegex(x->sentence));
    EXPECT_THAT(found.seen, HasSubstr(fmt::format(R"("requests":{},)", x->requests)));
    EXPECT_EQ(found.spent.output_tokens, x->charged * most_output);
    EXPECT_NEAR(found.spent.usd, x->charged, 0.01);
  }
}

TEST(llm_faults, a_server_that_cannot_be_reached_or_trusted_costs_nothing) {
  auto expired = test::make_certificate("DNS:localhost", true);
  auto foreign = test::make_certificate("DNS:other.example");
  test::http_server old{expired};
  test::http_server other{foreign};
  struct place {
    std::string url;
    std::string pem; // of an authority that is trusted
    errc ends;
    std::string sentence;
  };
  for (const auto& x : {
         place{"http://lathe.invalid/v1", {}, errc::provider_unreachable, "could not be looked up"},
         place{old.base_url("localhost"), expired.certificate_pem, errc::provider_refused,
               "certificate has expired"},
         place{other.base_url("localhost"), foreign.certificate_pem, errc::provider_refused,
               "a certificate that does not hold for it"},
       }) {
    SCOPED_TRACE(x.url);
    test::pem_file authority{x.pem};
    model_config model;
    model.provider = provider_kind::openai;
    model.base_url = x.url;
    if (!x.pem.empty())
      model.ca_file = authority.path;
    auto found = ask(model);
    EXPECT_EQ(found.problem, x.ends);
    EXPECT_THAT(describe(found.problem), HasSubstr(x.sentence));
    EXPECT_EQ(found.spent.queries, 0);
    EXPECT_EQ(found.spent.usd, 0);
  }
  EXPECT_TRUE(old.calls().empty());
  EXPECT_TRUE(other.calls().empty());
}

#include "llm_clients/http_provider.hpp"

#include "llm_clients/gateway.hpp"
#include "llm_clients/io_thread.hpp"
#include "llm_clients/provider_factory.hpp"
#include "messages/error.hpp"
#include "tests/support/http_server.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <fstream>
#include <future>
#include <sstream>

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using test::http_server;
using test::scripted_reply;
using ending = test::scripted_reply::ending;
using testing::HasSubstr;
using testing::Not;

namespace {

const std::string key = "sk-very-secret-0123456789";

const std::string good_body = R"({"model":"gpt-x-1","choices":[{"message":{"content":"hi"},)"
                              R"("finish_reason":"stop"}],"usage":{"prompt_tokens":10,)"
                              R"("completion_tokens":2}})";

model_config model(const http_server& server) {
  model_config result;
  result.name = "strong";
  result.provider = provider_kind::openai;
  result.model = "gpt-x";
  result.base_url = server.base_url();
  result.api_key = key;
  result.timeout = 20;
  return result;
}

llm_request question() {
  return {"mlp", 1, "coder", "coder", "strong", "be brief", "hello"};
}

scripted_reply event_stream(const std::vector<std::string>& events) {
  scripted_reply result;
  result.headers["Content-Type"] = "text/event-stream";
  for (const auto& data : events)
    result.body += "data: " + data + "\n\n";
  return result;
}

reply ask(const model_config& x, const llm_request& asked = question(),
          const variable_lookup& environment = process_variable) {
  auto made = standard_providers(environment)(x);
  if (!made)
    return failure{failure_kind::fail, describe(made.error())};
  auto promise = std::make_shared<std::promise<reply>>();
  (*made)->ask(asked, completion{[promise](reply y) { promise->set_value(std::move(y)); }});
  return promise->get_future().get();
}

failure failure_to(const http_server& server) {
  auto x = ask(model(server));
  auto failed = std::get_if<failure>(&x);
  EXPECT_TRUE(failed) << "an answer";
  return failed ? *failed : failure{};
}

// Catches the log at its most talkative.
struct caught_log {
  caught_log() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
    auto logger = std::make_shared<spdlog::logger>("llm", sink);
    logger->set_level(spdlog::level::trace);
    spdlog::register_logger(logger);
  }

  ~caught_log() {
    spdlog::drop("llm");
  }

  std::ostringstream text;
};

} // namespace

TEST(http_provider, a_question_is_answered) {
  http_server server;
  server.reply({200, good_body});
  auto x = ask(model(server));
  auto answer = std::get<llm_answer>(x);
  EXPECT_EQ(answer.text, "hi");
  EXPECT_EQ(answer.model, "gpt-x-1");
  EXPECT_GT(answer.seconds, 0);
  auto call = server.calls().at(0);
  EXPECT_EQ(call.target, "/v1/chat/completions");
  EXPECT_EQ(call.headers["authorization"], "Bearer " + key);
  EXPECT_THAT(call.body, HasSubstr(R"("content":"hello")"));
}

TEST(http_provider, a_streamed_question_is_answered) {
  http_server server;
  server.reply(event_stream({R"({"model":"gpt-x-1","choices":[{"delta":{"content":"h"}}]})",
                             R"({"choices":[{"delta":{"content":"i"},"finish_reason":"stop"}]})",
                             R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}})",
                             "[DONE]"}));
  auto answer = std::get<llm_answer>(ask(model(server)));
  EXPECT_EQ(answer.text, "hi");
  EXPECT_EQ(answer.cost.output_tokens, 2);
  EXPECT_GT(answer.seconds, 0);
}

TEST(http_provider, a_stream_that_breaks_off_is_tried_again_and_may_cost_something) {
  http_server server;
  server.reply(event_stream({R"({"choices":[{"delta":{"content":"h"}}]})"}));
  auto x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_TRUE(x.may_be_charged);
  EXPECT_THAT(x.sentence, HasSubstr("ends in the middle"));
  server.reply(event_stream({R"({"error":{"message":"bad key )" + key + R"(","code":401}})"}));
  x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("bad key [secret]"));
}

TEST(http_provider, a_stream_that_does_not_say_what_it_is_is_read_as_one) {
  http_server server;
  auto stream = event_stream(
    {R"({"model":"gpt-x-1","choices":[{"delta":{"content":"```python\nimport a\n"}}]})",
     R"({"choices":[{"delta":{"content":"class ModelNew: pass\n```\n"},)"
     R"("finish_reason":"stop"}]})",
     R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}})", "[DONE]"});
  stream.headers.clear();
  auto wanted = question();
  for (auto stop : {false, true}) {
    wanted.stop_after_code = stop;
    server.reply(stream);
    auto answer = std::get<llm_answer>(ask(model(server), wanted));
    EXPECT_THAT(answer.text, HasSubstr("class ModelNew: pass"));
    EXPECT_EQ(answer.cost.output_tokens, 20) << "all of it is there";
  }
  stream.body = "data: {\"error\":{\"message\":\"bad key " + key + "\",\"code\":401}}\n\n";
  server.reply(stream);
  auto x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("bad key [secret]"));
  stream.body = "data: {\"choices\":[]}\n\n";
  server.reply(stream);
  EXPECT_THAT(failure_to(server).sentence, HasSubstr("ends in the middle"));
}

TEST(http_provider, a_compressed_stream_is_named_once) {
  http_server server;
  auto packed = event_stream({"x"});
  packed.headers["Content-Encoding"] = "gzip";
  packed.body = "\x1f\x8b\x08";
  server.reply(packed);
  auto x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_TRUE(x.may_be_charged);
  EXPECT_THAT(x.sentence, HasSubstr("compressed (Content-Encoding: gzip)"));
}

TEST(http_provider, who_wants_code_alone_hears_no_more_than_that) {
  http_server server;
  auto stream =
    event_stream({R"({"choices":[{"delta":{"content":"```python\nimport a\nclass Model"}}]})",
                  R"({"choices":[{"delta":{"content":"New: pass\n``"}}]})",
                  R"({"choices":[{"delta":{"content":"`\n"}}]})",
                  R"({"choices":[{"delta":{"content":"and so on"}}]})"});
  stream.pause = 1ms;
  stream.body += std::string(1'000'000, ':');
  server.reply(stream);
  auto wanted = question();
  wanted.stop_after_code = true;
  auto answer = std::get<llm_answer>(ask(model(server), wanted));
  EXPECT_EQ(answer.text, "```python\nimport a\nclass ModelNew: pass\n```\n");
  EXPECT_EQ(answer.finish, "stop");
  EXPECT_GT(answer.cost.output_tokens, 0) << "the bound, for want of usage";
  server.wait_until_left(1);
}

TEST(http_provider, without_a_key_no_authorization_is_sent) {
  http_server server;
  server.reply({200, good_body});
  auto x = model(server);
  x.api_key.clear();
  ask(x);
  EXPECT_EQ(server.calls().at(0).headers.count("authorization"), 0u);
}

TEST(http_provider, a_wrong_key_fails_for_good) {
  http_server server;
  server.reply({401, R"({"error":{"message":"Incorrect API key"}})"});
  auto x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::fail);
  EXPECT_THAT(x.sentence, HasSubstr("Incorrect API key"));
}

TEST(http_provider, html_can_be_tried_again) {
  http_server server;
  server.reply({502, "<html>Bad gateway</html>"});
  auto x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_FALSE(x.may_be_charged);
}

TEST(http_provider, a_connection_that_breaks_may_have_cost_something) {
  http_server server;
  scripted_reply cut{200, good_body};
  cut.cut = 100;
  cut.end = ending::close;
  server.reply(cut);
  auto x = failure_to(server);
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_TRUE(x.may_be_charged);
  EXPECT_THAT(x.sentence, HasSubstr("broke off"));
  EXPECT_FALSE(x.unreached);
}

TEST(http_provider, a_server_that_is_not_there_was_not_reached) {
  auto nowhere = model(http_server{});
  auto x = std::get<failure>(ask(nowhere));
  EXPECT_EQ(x.kind, failure_kind::retry);
  EXPECT_TRUE(x.unreached);
}

TEST(http_provider, a_certificate_that_does_not_hold_fails_for_good) {
  http_server server{test::make_certificate("DNS:localhost")};
  EXPECT_EQ(failure_to(server).kind, failure_kind::fail);
}

TEST(http_provider, the_key_is_in_no_error_and_no_log) {
  caught_log log;
  for (unsigned status : {200, 400, 401, 429, 500}) {
    http_server server;
    server.reply({status, R"({"error":{"message":"bad key )" + key + R"("}})"});
    auto x = failure_to(server);
    EXPECT_THAT(x.sentence, HasSubstr("bad key [secret]"));
    EXPECT_THAT(x.sentence, Not(HasSubstr(key)));
  }
  // A key that a cut would otherwise leave in part.
  http_server server;
  server.reply({400, std::string(1010, 'x') + key});
  EXPECT_THAT(failure_to(server).sentence, Not(HasSubstr(key.substr(0, 8))));
  scripted_reply reset;
  reset.cut = 0;
  reset.end = ending::reset;
  server.reply(reset);
  failure_to(server);
  EXPECT_THAT(log.text.str(), HasSubstr("bad key [secret]")); // the trace is there
  EXPECT_THAT(log.text.str(), Not(HasSubstr(key)));
}

TEST(http_provider, a_key_is_masked_however_it_is_escaped) {
  http_server server;
  server.reply({200,
                R"({"model":"sk-very\u002dsecret-0123456789","choices":[{"message":{"content":)"
                R"("\u0073k-very-secret-0123456789"},"finish_reason":"stop"}]})"});
  auto answer = std::get<llm_answer>(ask(model(server)));
  EXPECT_EQ(answer.text, "[secret]");
  EXPECT_EQ(answer.model, "[secret]");
}

TEST(http_provider, a_key_that_a_stream_brings_in_pieces_is_masked) {
  caught_log log;
  http_server server;
  server.reply(event_stream({R"({"choices":[{"delta":{"content":"sk-very-sec"}}]})",
                             R"({"choices":[{"delta":{"content":"ret-0123456789"}}]})",
                             R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"}));
  EXPECT_EQ(std::get<llm_answer>(ask(model(server))).text, "[secret]");
  EXPECT_THAT(log.text.str(), HasSubstr("answered: [secret]"));
  EXPECT_THAT(log.text.str(), Not(HasSubstr("sk-very-sec")));
}

TEST(http_provider, what_a_proxy_repeats_of_its_password_is_masked) {
  caught_log log;
  http_server between;
  auto environment = [&](const std::string& name) -> std::optional<std::string> {
    if (name != "http_proxy")
      return std::nullopt;
    return "http://me:proxy%2Fsecret@127.0.0.1:" + std::to_string(between.port());
  };
  auto x = model(between);
  x.base_url = "http://llm.example/v1";
  between.reply({400, "proxy/secret proxy%2fsecret bWU6cHJveHkvc2VjcmV0"});
  auto failed = std::get<failure>(ask(x, question(), environment));
  EXPECT_THAT(failed.sentence, testing::EndsWith(": [secret] [secret] [secret]"));
  between.reply({407, "proxy/secret"});
  failed = std::get<failure>(ask(x, question(), environment));
  EXPECT_EQ(failed.kind, failure_kind::fail);
  EXPECT_THAT(failed.sentence, HasSubstr("model 'strong' (gpt-x): the proxy 127.0.0.1:"));
  EXPECT_EQ(between.calls().at(0).headers["proxy-authorization"], "Basic bWU6cHJveHkvc2VjcmV0");
  EXPECT_THAT(log.text.str(), Not(HasSubstr("proxy/secret")));
  EXPECT_THAT(log.text.str(), Not(HasSubstr("bWU6")));
}

TEST(http_provider, a_model_may_trust_an_authority_of_its_own) {
  auto certificate = test::make_certificate("IP:127.0.0.1");
  http_server server{certificate};
  auto file = testing::TempDir() + "lathe-ca-of-a-model.pem";
  std::ofstream{file} << certificate.certificate_pem;
  auto x = model(server);
  EXPECT_EQ(std::get<failure>(ask(x)).kind, failure_kind::fail);
  x.ca_file = file;
  server.reply({200, good_body});
  EXPECT_TRUE(std::holds_alternative<llm_answer>(ask(x)));
  std::ofstream{file} << "nonsense";
  EXPECT_THAT(describe(check_model(x)), HasSubstr(file + " cannot be read"));
  std::remove(file.c_str());
}

TEST(http_provider, what_can_be_checked_is_checked_at_the_start) {
  http_server server;
  EXPECT_FALSE(check_model(model(server)));
  auto x = model(server);
  x.base_url = "localhost";
  EXPECT_EQ(check_model(x), errc::user_error);
  x = model(server);
  x.api_key = "with\nbreak";
  auto problem = check_model(x);
  EXPECT_EQ(problem, errc::user_error);
  EXPECT_THAT(describe(problem), Not(HasSubstr("with\n")));
}

// The whole way: actor, I/O thread, sockets, and back.
TEST(http_provider, a_gateway_gets_through_a_busy_server) {
  http_server server;
  server.reply({429, "{}"});
  scripted_reply reset;
  reset.cut = 0;
  reset.end = ending::reset;
  server.reply(reset);
  server.reply({200, good_body});
  caf::actor_system_config config;
  caf::actor_system sys{config};
  gateway_options options;
  options.models = {model(server)};
  options.retry.base = 1ms;
  options.retry.unsaid = 1ms;
  auto gateway = spawn_gateway(sys, std::move(options));
  caf::scoped_actor self{sys};
  self->request(gateway, 20s, question())
    .receive([](const llm_answer& x) { EXPECT_EQ(x.text, "hi"); },
             [](const caf::error& x) { ADD_FAILURE() << describe(x); });
  EXPECT_EQ(server.calls().size(), 3u);
  // A call that hangs does not keep the gateway from ending.
  scripted_reply never;
  never.delay = 1h;
  server.reply(never);
  auto hanging = question();
  hanging.request = 2;
  auto pending = self->request(gateway, 20s, hanging);
  self->send_exit(gateway, caf::exit_reason::user_shutdown);
  pending.receive([](const llm_answer&) { ADD_FAILURE() << "an answer"; },
                  [](const caf::error& x) { EXPECT_EQ(x, errc::cancelled); });
  self->wait_for(gateway);
}

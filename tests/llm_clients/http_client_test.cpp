#include "llm_clients/http_client.hpp"

#include "llm_clients/io_thread.hpp"
#include "messages/error.hpp"
#include "tests/support/http_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>

#include <algorithm>
#include <deque>
#include <future>
#include <thread>
#include <tuple>

#include <sys/resource.h>
#include <sys/socket.h>

using namespace std::chrono_literals;
using namespace lathe;
using namespace lathe::llm_clients;
using test::http_server;
using test::pem_file;
using test::scripted_reply;
using ending = test::scripted_reply::ending;
using testing::HasSubstr;

namespace {

class client {
public:
  explicit client(http_limits limits = {}, const std::string& ca_file = {}) {
    auto made = http_client::make(io_, limits, ca_file);
    EXPECT_TRUE(made) << describe(made.error());
    http_ = std::move(*made);
  }

  std::future<http_result> send(const std::string& base_url,
                                std::chrono::milliseconds timeout = 20s) {
    http_request x;
    x.timeout = timeout;
    return send(base_url, std::move(x));
  }

  std::future<http_result> send(const std::string& base_url, http_request x) {
    auto promise = std::make_shared<std::promise<http_result>>();
    x.server = *parse_url(base_url);
    x.path = "/v1/chat";
    x.key = secret{"sk-0123456789"};
    x.body = "{\"a\":1}";
    http_->send(std::move(x), [promise](http_result y) { promise->set_value(std::move(y)); });
    return promise->get_future();
  }

  http_response response(const std::string& base_url) {
    auto x = send(base_url).get();
    if (auto failed = std::get_if<http_failure>(&x))
      ADD_FAILURE() << failed->sentence;
    auto result = std::get_if<http_response>(&x);
    return result ? *result : http_response{};
  }

  http_failure failure(const std::string& base_url, std::chrono::milliseconds timeout = 20s) {
    auto x = send(base_url, timeout).get();
    auto result = std::get_if<http_failure>(&x);
    EXPECT_TRUE(result) << "a response";
    return result ? *result : http_failure{};
  }

private:
  std::shared_ptr<io_thread> io_ = std::make_shared<io_thread>();
  std::unique_ptr<http_client> http_;
};

// A port where connections are not accepted, and not refused either.
class deaf_port {
public:
  explicit deaf_port(const boost::asio::ip::tcp::endpoint& at) {
    boost::system::error_code code;
    if (listens_.open(at.protocol(), code) || listens_.bind(at, code) || listens_.listen(0, code))
      return;
    auto here = listens_.local_endpoint();
    // Its queue takes one, or some: those who come then get no answer.
    for (int i = 0; i < 8; ++i) {
      auto& x = queued_.emplace_back(io_, at.protocol());
      x.non_blocking(true);
      std::ignore = ::connect(x.native_handle(), here.data(), static_cast<socklen_t>(here.size()));
    }
    is_deaf_ = true;
  }

  bool is_deaf() const {
    return is_deaf_;
  }

  // Whether who looks for `name` finds this address, too.
  bool is_called(const std::string& name) {
    auto here = listens_.local_endpoint();
    boost::system::error_code code;
    auto found = boost::asio::ip::tcp::resolver{io_}.resolve(name, std::to_string(port()), code);
    return std::any_of(found.begin(), found.end(),
                       [&](const auto& x) { return x.endpoint() == here; });
  }

  std::uint16_t port() const {
    return listens_.local_endpoint().port();
  }

private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor listens_{io_};
  std::deque<boost::asio::ip::tcp::socket> queued_;
  bool is_deaf_ = false;
};

} // namespace

TEST(io_thread, a_process_with_connections_may_open_as_many_files_as_it_is_allowed_to) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few{256, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  io_thread subject;
  rlimit after{};
  ::getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

TEST(http_client, what_nobody_waits_for_any_more_is_closed) {
  http_server server;
  scripted_reply slow;
  slow.delay = 60s;
  server.reply(slow);
  server.reply({200, "{}"});
  client subject;
  http_request request;
  request.cancelled = std::make_shared<cancellation>();
  auto cancelled = request.cancelled;
  auto result = subject.send(server.base_url(), std::move(request));
  while (server.calls().empty())
    std::this_thread::yield();
  cancelled->cancel();
  ASSERT_EQ(result.wait_for(10s), std::future_status::ready);
  auto ended = result.get();
  auto* why = std::get_if<http_failure>(&ended);
  ASSERT_TRUE(why);
  EXPECT_THAT(why->sentence, HasSubstr("is not waited for any more"));
  EXPECT_TRUE(why->sent);
  EXPECT_EQ(subject.response(server.base_url()).status, 200u);
  EXPECT_EQ(server.calls().at(1).connection, 2u);
}

TEST(http_client, a_stream_that_nobody_waits_for_any_more_is_closed) {
  http_server server;
  scripted_reply stream{200, std::string(1000, 'x'), {{"content-type", "text/event-stream"}}};
  stream.pause = 10ms; // before each byte
  server.reply(stream);
  client subject;
  http_request request;
  request.cancelled = std::make_shared<cancellation>();
  auto cancelled = request.cancelled;
  std::promise<void> begun;
  request.on_part = [&, first = true](std::string_view) mutable {
    if (std::exchange(first, false))
      begun.set_value();
    return true;
  };
  auto result = subject.send(server.base_url(), std::move(request));
  begun.get_future().wait();
  cancelled->cancel();
  auto ended = result.get();
  EXPECT_TRUE(std::holds_alternative<http_failure>(ended));
  server.wait_until_left(1);
}

TEST(http_client, a_cancellation_that_comes_late_touches_nobody_else) {
  http_server server;
  server.reply({200, "{}"});
  scripted_reply slow{200, "{}"};
  slow.delay = 200ms;
  server.reply(slow);
  client subject;
  http_request request;
  request.cancelled = std::make_shared<cancellation>();
  auto cancelled = request.cancelled;
  subject.send(server.base_url(), std::move(request)).get();
  auto next = subject.send(server.base_url());
  while (server.calls().size() < 2)
    std::this_thread::yield();
  cancelled->cancel();
  auto result = next.get();
  ASSERT_TRUE(std::holds_alternative<http_response>(result));
  EXPECT_EQ(server.calls().at(1).connection, 1u);
}

TEST(http_client, a_request_arrives_and_its_answer_comes_back) {
  http_server server;
  server.reply({201, "hello", {{"X-Limit", "7"}}});
  client x;
  auto response = x.response(server.base_url());
  EXPECT_EQ(response.status, 201u);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.headers["x-limit"], "7");
  auto call = server.calls().at(0);
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.target, "/v1/chat");
  EXPECT_EQ(call.body, "{\"a\":1}");
  EXPECT_EQ(call.headers["authorization"], "Bearer sk-0123456789");
  EXPECT_EQ(call.headers["content-type"], "application/json");
  EXPECT_EQ(call.headers["host"], "127.0.0.1:" + std::to_string(server.port()));
}

TEST(http_client, an_answer_may_come_byte_by_byte) {
  http_server server;
  scripted_reply slow{200, "one by one"};
  slow.pause = 1ms;
  server.reply(slow);
  EXPECT_EQ(client{}.response(server.base_url()).body, "one by one");
}

// -- connections ----------------------------------------------------------------------------

TEST(http_client, a_connection_is_used_again) {
  http_server server;
  client x;
  for (int i = 0; i < 3; ++i) {
    server.reply({200, "ok"});
    x.response(server.base_url());
  }
  EXPECT_EQ(server.calls().at(2).connection, 1u);
}

TEST(http_client, a_connection_that_the_server_closed_is_not_used_again) {
  http_server server;
  client x;
  scripted_reply last{200, "ok"};
  last.end = ending::close; // without saying so in a header
  server.reply(last);
  x.response(server.base_url());
  server.wait_until_closed(1);
  server.reply({200, "again"});
  EXPECT_EQ(x.response(server.base_url()).body, "again");
  EXPECT_EQ(server.calls().at(1).connection, 2u);
}

TEST(http_client, an_unused_connection_is_not_kept_for_ever) {
  http_server server;
  http_limits limits;
  limits.pooled = 0ms;
  client x{limits};
  server.reply({200, "ok"});
  server.reply({200, "ok"});
  x.response(server.base_url());
  x.response(server.base_url());
  EXPECT_EQ(server.calls().at(1).connection, 2u);
}

TEST(http_client, an_unused_connection_is_closed_though_nobody_asks_again) {
  http_server server;
  http_limits limits;
  limits.pooled = 30ms;
  limits.swept = 10ms;
  client x{limits};
  server.reply({200, "ok"});
  x.response(server.base_url());
  server.wait_until_left(1);
}

TEST(http_client, no_more_unused_connections_are_kept_than_allowed) {
  http_server server;
  http_limits limits;
  limits.unused = 1;
  client x{limits};
  std::vector<std::future<http_result>> sent;
  for (int i = 0; i < 3; ++i) {
    scripted_reply slow{200, "ok"};
    slow.delay = 500ms; // so that they are under way at once
    server.reply(slow);
    sent.push_back(x.send(server.base_url()));
  }
  for (auto& each : sent)
    each.get();
  server.wait_until_left(2);
}

TEST(http_client, connections_to_a_server_are_bounded_and_the_rest_waits) {
  http_server server;
  http_limits limits;
  limits.connections = 2;
  client x{limits};
  std::vector<std::future<http_result>> sent;
  for (int i = 0; i < 10; ++i) {
    server.reply({200, "ok"});
    sent.push_back(x.send(server.base_url()));
  }
  for (auto& each : sent)
    EXPECT_TRUE(std::holds_alternative<http_response>(each.get()));
  for (const auto& call : server.calls())
    EXPECT_LE(call.connection, 2u);
}

// -- failures -------------------------------------------------------------------------------

TEST(http_client, a_server_that_is_not_there_refuses) {
  std::uint16_t port = 0;
  {
    boost::asio::io_context io;
    boost::asio::ip::tcp::acceptor unused{io, {boost::asio::ip::address_v4::loopback(), 0}};
    port = unused.local_endpoint().port();
  }
  auto x = client{}.failure("http://127.0.0.1:" + std::to_string(port));
  EXPECT_THAT(x.sentence, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(x.sentence, HasSubstr("refused"));
  EXPECT_FALSE(x.sent);
  EXPECT_FALSE(x.permanent);
}

TEST(http_client, a_name_that_does_not_exist_is_named) {
  auto x = client{}.failure("http://lathe.invalid/v1");
  EXPECT_THAT(x.sentence, HasSubstr("lathe.invalid could not be looked up"));
  EXPECT_FALSE(x.sent);
}

TEST(http_client, a_reset_before_the_answer_is_a_failure_after_sending) {
  http_server server;
  scripted_reply reset;
  reset.cut = 0;
  reset.end = ending::reset;
  server.reply(reset);
  auto x = client{}.failure(server.base_url());
  EXPECT_THAT(x.sentence, HasSubstr("broke off before it answered"));
  EXPECT_TRUE(x.sent);
}

TEST(http_client, a_cut_body_is_no_answer) {
  for (auto end : {ending::close, ending::reset}) {
    http_server server;
    scripted_reply cut{200, std::string(1000, 'x')};
    cut.cut = 500;
    cut.end = end;
    server.reply(cut);
    EXPECT_THAT(client{}.failure(server.base_url()).sentence, HasSubstr("broke off"));
  }
}

TEST(http_client, a_body_that_is_too_big_is_not_read) {
  http_server server;
  server.reply({200, std::string(2'000, 'x')});
  http_limits limits;
  limits.max_body = 1'000;
  EXPECT_THAT(client{limits}.failure(server.base_url()).sentence,
              HasSubstr("more than 1000 bytes"));
}

TEST(http_client, a_chunked_body_that_is_too_big_is_not_read) {
  http_server server;
  std::string chunk = "400\r\n" + std::string(0x400, 'x') + "\r\n";
  scripted_reply chunked{200, chunk + chunk + "0\r\n\r\n"};
  chunked.chunked = true;
  server.reply(chunked);
  http_limits limits;
  limits.max_body = 1'500;
  EXPECT_THAT(client{limits}.failure(server.base_url()).sentence,
              HasSubstr("more than 1500 bytes"));
}

TEST(http_client, what_is_not_http_is_a_failure) {
  http_server server;
  scripted_reply odd;
  odd.raw = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
  server.reply(odd);
  EXPECT_THAT(client{}.failure(server.base_url()).sentence,
              HasSubstr("broke off before it answered"));
}

TEST(http_client, a_server_that_does_not_begin_to_answer_is_left_before_the_deadline) {
  http_server server;
  scripted_reply never;
  never.delay = 1h;
  server.reply(never);
  http_request impatient;
  impatient.first_byte = 100ms;
  auto x = std::get<http_failure>(client{}.send(server.base_url(), std::move(impatient)).get());
  EXPECT_THAT(x.sentence, HasSubstr("did not begin to answer within 0.1 s"));
  EXPECT_TRUE(x.sent);
}

TEST(http_client, who_has_begun_to_answer_may_take_longer) {
  http_server server;
  scripted_reply slow{200, "0123"};
  slow.pause = 300ms; // before each byte
  server.reply(slow);
  http_request impatient;
  impatient.first_byte = 800ms;
  auto x = client{}.send(server.base_url(), std::move(impatient)).get();
  EXPECT_TRUE(std::holds_alternative<http_response>(x));
}

TEST(http_client, who_does_not_speak_tls_is_left) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor mute{io, {boost::asio::ip::address_v4::loopback(), 0}};
  http_request impatient;
  impatient.connect = 400ms;
  auto url = "https://127.0.0.1:" + std::to_string(mute.local_endpoint().port());
  auto x = std::get<http_failure>(client{}.send(url, std::move(impatient)).get());
  EXPECT_THAT(x.sentence, HasSubstr("did not finish the TLS handshake within 0.4 s"));
  EXPECT_FALSE(x.sent);
}

TEST(http_client, an_address_that_does_not_answer_is_left_for_the_next_one) {
  http_server server;
  deaf_port deaf{{boost::asio::ip::address_v6::loopback(), server.port()}};
  if (!deaf.is_deaf() || !deaf.is_called("localhost"))
    GTEST_SKIP() << "localhost has no IPv6 address here";
  server.reply({200, "ok"});
  http_request impatient;
  impatient.connect = 400ms;
  auto x = client{}.send(server.base_url("localhost"), impatient).get();
  auto* response = std::get_if<http_response>(&x);
  ASSERT_TRUE(response) << std::get<http_failure>(x).sentence;
  EXPECT_EQ(response->body, "ok");
}

TEST(http_client, an_address_that_does_not_answer_is_left) {
  deaf_port deaf{{boost::asio::ip::address_v4::loopback(), 0}};
  ASSERT_TRUE(deaf.is_deaf());
  http_request impatient;
  impatient.connect = 400ms;
  auto url = "http://127.0.0.1:" + std::to_string(deaf.port());
  auto x = std::get<http_failure>(client{}.send(url, std::move(impatient)).get());
  EXPECT_THAT(x.sentence, HasSubstr("did not accept a connection within 0.4 s"));
  EXPECT_FALSE(x.sent);
}

TEST(http_client, a_server_that_never_answers_is_left_at_the_deadline) {
  http_server server;
  scripted_reply never;
  never.delay = 1h;
  server.reply(never);
  auto x = client{}.failure(server.base_url(), 200ms);
  EXPECT_THAT(x.sentence, HasSubstr("gave no complete answer within 0.2 s"));
  EXPECT_TRUE(x.sent);
}

TEST(http_client, a_body_that_trickles_is_left_at_the_deadline) {
  http_server server;
  scripted_reply slow{200, std::string(100'000, 'x')};
  slow.pause = 1ms;
  server.reply(slow);
  EXPECT_THAT(client{}.failure(server.base_url(), 300ms).sentence, HasSubstr("within 0.3 s"));
}

TEST(http_client, a_body_that_stops_is_left_after_the_idle_limit) {
  http_server server;
  scripted_reply stops{200, "xx"};
  stops.pause = 1h;
  server.reply(stops);
  http_request impatient;
  impatient.idle = 100ms;
  auto x = client{}.send(server.base_url(), std::move(impatient)).get();
  EXPECT_THAT(std::get<http_failure>(x).sentence, HasSubstr("fell silent"));
}

// -- streams --------------------------------------------------------------------------------

namespace {

scripted_reply event_stream(std::string body) {
  scripted_reply result{200, std::move(body)};
  result.headers["Content-Type"] = "text/event-stream; charset=utf-8";
  return result;
}

} // namespace

TEST(http_client, a_stream_is_handed_over_as_it_comes) {
  http_server server;
  auto slow = event_stream("data: 1\n\ndata: 2\n\n");
  slow.pause = 1ms;
  server.reply(slow);
  client x;
  std::string taken;
  std::size_t parts = 0;
  http_request request;
  request.on_part = [&](std::string_view part) {
    taken += part;
    ++parts;
    return true;
  };
  auto response = std::get<http_response>(x.send(server.base_url(), std::move(request)).get());
  EXPECT_TRUE(response.streamed);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(taken, "data: 1\n\ndata: 2\n\n");
  EXPECT_GT(parts, 1u);
  server.reply({200, "{}"});
  x.response(server.base_url());
  EXPECT_EQ(server.calls().at(1).connection, 1u) << "and its connection is used again";
}

TEST(http_client, who_has_enough_of_a_stream_closes_it) {
  http_server server;
  auto slow = event_stream(std::string(1'000'000, 'x'));
  slow.pause = 1ms;
  server.reply(slow);
  client x;
  http_request request;
  request.on_part = [](std::string_view) { return false; };
  auto response = std::get<http_response>(x.send(server.base_url(), std::move(request)).get());
  EXPECT_TRUE(response.streamed);
  server.wait_until_left(1);
}

TEST(http_client, what_is_no_stream_comes_whole) {
  http_server server;
  client x;
  for (unsigned status : {200u, 500u}) {
    auto reply = status == 200 ? scripted_reply{200, "{}"} : event_stream("{}");
    reply.status = status;
    server.reply(reply);
    http_request request;
    request.on_part = [](std::string_view) { return ADD_FAILURE() << "a part", true; };
    auto response = std::get<http_response>(x.send(server.base_url(), std::move(request)).get());
    EXPECT_FALSE(response.streamed);
    EXPECT_EQ(response.body, "{}");
  }
}

TEST(http_client, what_a_server_says_before_it_answers_is_passed_over) {
  const std::string early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                            "Link: </x>\r\nx-ratelimit-limit-requests: 1\r\n\r\n";
  http_server server;
  client x;
  for (auto type : {"text/event-stream", "application/json"}) {
    scripted_reply reply;
    reply.raw = early + "HTTP/1.1 200 OK\r\nContent-Type: " + type
                + "\r\nContent-Length: 11\r\n\r\ndata: {}\r\n\r";
    server.reply(reply);
    std::string taken;
    std::vector<header_map> heard;
    http_request request;
    request.on_part = [&](std::string_view part) { return taken += part, true; };
    request.on_headers = [&](const header_map& headers) { heard.push_back(headers); };
    auto response = std::get<http_response>(x.send(server.base_url(), std::move(request)).get());
    EXPECT_EQ(response.status, 200u);
    EXPECT_EQ(taken + response.body, "data: {}\r\n\r");
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].at("content-type"), type);
  }
  EXPECT_EQ(server.calls().at(1).connection, 1u) << "and the connection is used again";
}

TEST(http_client, who_never_comes_to_the_answer_is_left) {
  http_server server;
  scripted_reply reply;
  for (int i = 0; i < 100; ++i)
    reply.raw += "HTTP/1.1 102 Processing\r\n\r\n";
  server.reply(reply);
  client x;
  auto failed = x.failure(server.base_url());
  EXPECT_TRUE(failed.sent);
  EXPECT_THAT(failed.sentence, HasSubstr("announced an answer again and again"));
}

TEST(http_client, an_announcement_is_no_first_byte_of_an_answer) {
  http_server server;
  scripted_reply reply;
  reply.raw = "HTTP/1.1 100 Continue\r\n\r\n";
  server.reply(reply);
  client x;
  http_request impatient;
  impatient.first_byte = 200ms;
  auto sent = x.send(server.base_url(), std::move(impatient));
  EXPECT_THAT(std::get<http_failure>(sent.get()).sentence,
              HasSubstr("did not begin to answer within 0.2 s"));
}

TEST(http_client, a_change_of_protocols_is_an_answer) {
  http_server server;
  scripted_reply reply;
  reply.raw = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
  server.reply(reply);
  EXPECT_EQ(client{}.response(server.base_url()).status, 101u);
}

TEST(http_client, answers_are_asked_for_as_they_are) {
  http_server server;
  server.reply({200, "{}"});
  client{}.response(server.base_url());
  EXPECT_EQ(server.calls().at(0).headers.at("accept-encoding"), "identity");
}

TEST(http_client, a_compressed_stream_comes_whole) {
  http_server server;
  auto packed = event_stream("\x1f\x8b");
  packed.headers["Content-Encoding"] = "gzip";
  server.reply(packed);
  client x;
  http_request request;
  request.on_part = [](std::string_view) { return ADD_FAILURE() << "a part", true; };
  auto response = std::get<http_response>(x.send(server.base_url(), std::move(request)).get());
  EXPECT_FALSE(response.streamed);
}

TEST(http_client, a_stream_that_breaks_off_is_a_failure) {
  http_server server;
  auto cut = event_stream("data: 1\n\ndata: 2\n\n");
  cut.cut = 110;
  cut.end = ending::close;
  server.reply(cut);
  http_request request;
  request.on_part = [](std::string_view) { return true; };
  auto x = client{}.send(server.base_url(), std::move(request)).get();
  EXPECT_THAT(std::get<http_failure>(x).sentence, HasSubstr("broke off"));
}

TEST(http_client, a_key_goes_where_its_provider_wants_it) {
  http_server server;
  server.reply({200, "{}"});
  http_request request;
  request.key_header = "x-api-key";
  request.headers = {{"anthropic-version", "2023-06-01"}};
  client x;
  x.send(server.base_url(), std::move(request)).get();
  auto headers = server.calls().at(0).headers;
  EXPECT_EQ(headers["x-api-key"], "sk-0123456789");
  EXPECT_EQ(headers["anthropic-version"], "2023-06-01");
  EXPECT_EQ(headers.count("authorization"), 0u);
}

TEST(http_client, calls_under_way_are_dropped_with_their_thread) {
  http_server server;
  scripted_reply never;
  never.delay = 1h;
  server.reply(never);
  std::future<http_result> sent;
  {
    client x;
    sent = x.send(server.base_url());
  }
  EXPECT_THROW(sent.get(), std::future_error); // the handler is gone, and its promise with it
}

// -- TLS --------------------------------------------------------------------------------------

TEST(http_client, a_certificate_of_a_trusted_authority_is_accepted) {
  auto certificate = test::make_certificate("DNS:localhost,IP:127.0.0.1");
  http_server server{certificate};
  pem_file ca{certificate.certificate_pem};
  client x{{}, ca.path};
  for (auto host : {"localhost", "127.0.0.1"}) {
    server.reply({200, "safe"});
    EXPECT_EQ(x.response(server.base_url(host)).body, "safe") << host;
  }
}

TEST(http_client, a_certificate_of_an_unknown_authority_is_refused) {
  http_server server{test::make_certificate("DNS:localhost")};
  auto x = client{}.failure(server.base_url("localhost"));
  EXPECT_THAT(x.sentence, HasSubstr("certificate that does not hold for it: self-signed"));
  EXPECT_THAT(x.sentence, HasSubstr("; an authority of your own is named by the model's ca_file"));
  EXPECT_TRUE(x.permanent);
  EXPECT_TRUE(server.calls().empty());
}

TEST(http_client, a_certificate_for_another_host_is_refused) {
  auto certificate = test::make_certificate("DNS:other.example");
  http_server server{certificate};
  pem_file ca{certificate.certificate_pem};
  auto x = client{{}, ca.path}.failure(server.base_url("localhost"));
  EXPECT_THAT(x.sentence, HasSubstr("certificate that does not hold for it"));
  EXPECT_TRUE(x.permanent);
  EXPECT_TRUE(server.calls().empty());
}

TEST(http_client, an_expired_certificate_is_refused) {
  auto certificate = test::make_certificate("DNS:localhost", true);
  http_server server{certificate};
  pem_file ca{certificate.certificate_pem};
  auto x = client{{}, ca.path}.failure(server.base_url("localhost"));
  EXPECT_THAT(x.sentence, HasSubstr("expired"));
  EXPECT_TRUE(x.permanent);
}

TEST(http_client, a_server_that_speaks_no_tls_fails_the_handshake) {
  http_server server;
  auto address = "https://127.0.0.1:" + std::to_string(server.port());
  EXPECT_THAT(client{}.failure(address).sentence, HasSubstr("TLS handshake"));
}

TEST(http_client, a_file_without_certificates_is_a_user_error) {
  pem_file nonsense{"not PEM"};
  auto made = http_client::make(std::make_shared<io_thread>(), {}, nonsense.path);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), errc::user_error);
  EXPECT_EQ(describe(made.error()), "the CA certificates in " + nonsense.path
                                      + " cannot be read: there is no certificate (PEM) in it");
}

// -- proxies ----------------------------------------------------------------------------------

namespace {

proxy through(const http_server& server, const std::string& user = {}) {
  auto found = proxy_for({}, [&](const std::string& name) -> std::optional<std::string> {
    if (name != "https_proxy")
      return std::nullopt;
    return "http://" + user + "localhost:" + std::to_string(server.port());
  });
  EXPECT_TRUE(found && *found);
  return found && *found ? **found : proxy{};
}

http_request request_through(const http_server& server, const std::string& user = {}) {
  http_request result;
  result.timeout = 20s;
  result.via = through(server, user);
  return result;
}

// A server with TLS, a client that trusts it, and a proxy between them.
struct proxied {
  http_failure failure() {
    auto x = http.send(server.base_url("localhost"), request_through(between)).get();
    EXPECT_TRUE(std::holds_alternative<http_failure>(x)) << "a response";
    return std::holds_alternative<http_failure>(x) ? std::get<http_failure>(x) : http_failure{};
  }

  test::certificate certificate = test::make_certificate("DNS:localhost");
  pem_file ca{certificate.certificate_pem};
  http_server server{certificate};
  http_server between;
  client http{{}, ca.path};
};

} // namespace

TEST(http_client, a_tunnel_through_a_proxy_hides_everything_from_it) {
  proxied x;
  x.between.reply(test::tunnel());
  for (int i = 0; i < 2; ++i) {
    x.server.reply({200, "safe"});
    auto sent = x.http.send(x.server.base_url("localhost"), request_through(x.between, "me:pass@"));
    EXPECT_EQ(std::get<http_response>(sent.get()).body, "safe");
  }
  auto calls = x.between.calls();
  ASSERT_EQ(calls.size(), 1u) << "the tunnel is used again";
  auto target = "localhost:" + std::to_string(x.server.port());
  EXPECT_EQ(calls[0].method, "CONNECT");
  EXPECT_EQ(calls[0].target, target);
  EXPECT_EQ(calls[0].headers["host"], target);
  EXPECT_EQ(calls[0].headers["proxy-authorization"], "Basic bWU6cGFzcw==");
  EXPECT_EQ(calls[0].headers.count("authorization"), 0u);
  auto call = x.server.calls().at(1);
  EXPECT_EQ(call.target, "/v1/chat");
  EXPECT_EQ(call.headers["authorization"], "Bearer sk-0123456789");
  EXPECT_EQ(call.headers.count("proxy-authorization"), 0u);
}

TEST(http_client, a_tunnel_is_not_used_for_a_server_that_is_asked_directly) {
  proxied x;
  x.between.reply(test::tunnel());
  x.server.reply({200, "ok"});
  x.server.reply({200, "ok"});
  x.http.send(x.server.base_url("localhost"), request_through(x.between)).get();
  x.http.response(x.server.base_url("localhost"));
  EXPECT_EQ(x.server.calls().at(1).connection, 2u);
}

TEST(http_client, at_the_end_of_a_tunnel_the_certificate_is_the_servers) {
  proxied x;
  x.between.reply(test::tunnel());
  auto sent = x.http.send(x.server.base_url("127.0.0.1"), request_through(x.between));
  auto failed = std::get<http_failure>(sent.get());
  EXPECT_TRUE(failed.permanent);
  EXPECT_THAT(failed.sentence, testing::MatchesRegex("127.0.0.1:[0-9]+, through the proxy "
                                                     "localhost:[0-9]+ .https_proxy., has a "
                                                     "certificate that does not hold for it: .*"));
  EXPECT_TRUE(x.server.calls().empty());
}

TEST(http_client, a_proxy_that_refuses_is_named) {
  proxied x;
  auto name = "the proxy localhost:" + std::to_string(x.between.port()) + " (https_proxy) ";
  x.between.reply({407, "who are you?", {{"Proxy-Authenticate", "Basic realm=\"x\""}}});
  auto failed = x.failure();
  EXPECT_TRUE(failed.permanent);
  EXPECT_THAT(failed.sentence, HasSubstr(name + "wants a user and a password"));
  x.between.reply({502, "<html>no route</html>"});
  failed = x.failure();
  EXPECT_FALSE(failed.permanent);
  EXPECT_FALSE(failed.sent);
  EXPECT_THAT(failed.sentence, HasSubstr(name + "could not reach localhost:"));
  EXPECT_TRUE(x.server.calls().empty());
}

TEST(http_client, a_proxy_that_breaks_off_or_talks_out_of_turn_is_named) {
  proxied x;
  scripted_reply cut = test::tunnel();
  cut.cut = 10;
  cut.end = ending::close;
  cut.tunnel = false;
  x.between.reply(cut);
  EXPECT_THAT(x.failure().sentence,
              HasSubstr("(https_proxy) broke off before it answered CONNECT"));
  scripted_reply talks = test::tunnel();
  talks.raw += "surprise";
  talks.tunnel = false;
  x.between.reply(talks);
  EXPECT_THAT(x.failure().sentence, HasSubstr("(https_proxy) sent more than an answer to CONNECT"));
}

TEST(http_client, what_a_proxy_says_before_it_answers_is_passed_over) {
  proxied x;
  auto early = test::tunnel();
  early.raw = "HTTP/1.1 100 Continue\r\n\r\n" + early.raw;
  x.between.reply(early);
  x.server.reply({200, "{}"});
  auto sent = x.http.send(x.server.base_url("localhost"), request_through(x.between));
  EXPECT_EQ(std::get<http_response>(sent.get()).status, 200u);
}

TEST(http_client, a_proxy_that_is_silent_is_left) {
  proxied x;
  scripted_reply never;
  never.delay = 1h;
  x.between.reply(never);
  auto impatient = request_through(x.between);
  impatient.connect = 100ms;
  auto sent = x.http.send(x.server.base_url("localhost"), std::move(impatient));
  EXPECT_THAT(std::get<http_failure>(sent.get()).sentence,
              HasSubstr("(https_proxy) did not answer CONNECT within 0.1 s"));
}

TEST(http_client, a_proxy_that_is_not_there_is_named) {
  auto nowhere = request_through(http_server{});
  auto x = std::get<http_failure>(client{}.send("https://localhost:1", nowhere).get());
  EXPECT_THAT(x.sentence, HasSubstr("(https_proxy) did not accept a connection"));
  EXPECT_FALSE(x.sent);
  EXPECT_FALSE(x.permanent);
}

TEST(http_client, without_tls_a_proxy_gets_the_whole_url) {
  http_server between;
  between.reply({200, "{}"});
  client x;
  x.send("http://llm.example/v1", request_through(between, "me:pass@")).get();
  auto call = between.calls().at(0);
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.target, "http://llm.example/v1/chat");
  EXPECT_EQ(call.headers["host"], "llm.example");
  EXPECT_EQ(call.headers["proxy-authorization"], "Basic bWU6cGFzcw==");
  between.reply({407, "{}"});
  auto failed = std::get<http_failure>(
    x.send("http://llm.example/v1", request_through(between, "me:pass@")).get());
  EXPECT_TRUE(failed.permanent);
  EXPECT_THAT(failed.sentence, HasSubstr("does not accept the user and password in its URL"));
}

#include "tools/llm_server/responder.hpp"

#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

namespace lathe::llm_server {

namespace {

constexpr std::size_t most_limits = 10'000;
constexpr std::string_view bearer = "Bearer ";
constexpr std::string_view proxy_page =
  "<html>\r\n<head><title>Error</title></head>\r\n<body><h1>The upstream server gave no answer"
  "</h1></body>\r\n</html>\r\n";

// One exchange, and what is known about its reply while that is made.
struct exchange {
  const http_request& request;
  std::string id;    // of the request and of the answer
  std::string extra; // header lines
};

// The key that the request shows, at the places where that provider looks.
std::string shown_key(const http_request& request, const endpoint& to) {
  if (to.from == provider::anthropic && !request.anthropic_key.empty())
    return request.anthropic_key;
  if (to.from == provider::gemini)
    return request.gemini_key.empty() ? to.key : request.gemini_key;
  if (std::string_view{request.authorization}.starts_with(bearer))
    return request.authorization.substr(bearer.size());
  return to.format == nullptr ? request.anthropic_key : std::string{}; // both have /v1/models
}

after end_of(const http_request& request) {
  return request.keep_alive ? after::keep_alive : after::close;
}

std::string head(const exchange& x, unsigned status, std::string_view type,
                 std::string_view length_line) {
  return status_line(status) + header_line("server", "llm-server")
         + header_line("x-request-id", "req_" + x.id) + header_line("content-type", type)
         + std::string{length_line} + x.extra
         + header_line("connection", x.request.keep_alive ? "keep-alive" : "close") + "\r\n";
}

std::string head_with_length(const exchange& x, unsigned status, std::string_view type,
                             std::size_t length) {
  return head(x, status, type, header_line("content-length", std::to_string(length)));
}

std::unique_ptr<reply> whole(const exchange& x, unsigned status, std::string_view type,
                             std::string_view body) {
  return whole_reply(head_with_length(x, status, type, body.size()) + std::string{body},
                     end_of(x.request));
}

std::unique_ptr<reply> error_reply(const exchange& x, provider from, const refusal& why) {
  return whole(x, why.status, "application/json", error_body(from, why.status, why.sentence));
}

std::unique_ptr<reply> faulty_status(exchange x, provider from, const fault& what) {
  if (what.retry_after)
    x.extra += header_line("retry-after", std::to_string(*what.retry_after));
  if (what.html)
    return whole(x, what.status, "text/html", proxy_page);
  return error_reply(x, from, {what.status, "The test asked for this error."});
}

std::unique_ptr<reply> plain_answer(const exchange& x, const answer& what,
                                    const answer_format& format, fault_kind fault) {
  constexpr auto type = "application/json";
  auto body = format.body(what);
  auto end = end_of(x.request);
  switch (fault) {
    case fault_kind::cut:
      return whole_reply(head_with_length(x, 200, type, body.size())
                           + body.substr(0, body.size() / 2),
                         after::close);
    case fault_kind::invalid_json:
      return whole(x, 200, type, "no JSON" + body);
    case fault_kind::large: {
      auto start = head_with_length(x, 200, type, padding + body.size());
      return large_reply(std::move(start), std::move(body), framing::plain, end);
    }
    case fault_kind::slow_body: {
      auto start = head_with_length(x, 200, type, body.size());
      return slow_reply(std::move(start), std::move(body), framing::plain, end);
    }
    default:
      return whole(x, 200, type, body);
  }
}

std::unique_ptr<reply> streamed_answer(const exchange& x, answer what, const answer_format& format,
                                       const behaviour& how, fault_kind fault,
                                       random_source random) {
  auto chunked = x.request.chunks;
  auto frames = chunked ? framing::chunked : framing::plain;
  auto end = chunked ? end_of(x.request) : after::close;
  auto start = head(x, 200, "text/event-stream; charset=utf-8",
                    header_line("cache-control", "no-cache")
                      + (chunked ? header_line("transfer-encoding", "chunked") : ""));
  std::unique_ptr<reply> result;
  if (fault == fault_kind::large)
    result = large_reply(std::move(start), all_events(format, what), frames, end);
  else if (fault == fault_kind::slow_body)
    result = slow_reply(std::move(start), all_events(format, what), frames, end);
  else
    result = stream_reply(
      {std::move(start), &format, std::move(what), how.interval, random, fault, frames, end});
  result->is_stream = true;
  return result;
}

answer answer_to(const exchange& x, const question& asked, const behaviour& how) {
  auto prompt = how.prompt_tokens.value_or(
    static_cast<std::uint32_t>(std::max<std::size_t>(x.request.body.size() / 4, 1)));
  return {x.id,
          json_escaped(asked.model),
          std::time(nullptr),
          how.text,
          how.events,
          prompt,
          std::min(how.cached_tokens, prompt),
          how.reasoning_tokens,
          asked.stream_usage};
}

std::unique_ptr<reply> reply_to(const exchange& x, const endpoint& to, const question& asked,
                                const behaviour& how, random_source random) {
  auto fault = random.fraction() < how.error_rate ? how.error.kind : fault_kind::none;
  std::unique_ptr<reply> result;
  auto first_byte = how.first_byte.sample(random);
  switch (fault) {
    case fault_kind::status:
      result = faulty_status(x, to.from, how.error);
      break;
    case fault_kind::reset:
      result = whole_reply({}, after::reset);
      break;
    case fault_kind::hang:
      result = whole_reply({}, after::hang);
      break;
    default: {
      auto what = answer_to(x, asked, how);
      result = asked.stream ? streamed_answer(x, std::move(what), *to.format, how, fault, random)
                            : plain_answer(x, what, *to.format, fault);
    }
  }
  result->first_byte = first_byte;
  return result;
}

void add_limit_headers(const rate_limit::verdict& verdict, exchange& x) {
  x.extra += header_line("x-ratelimit-limit-requests", std::to_string(verdict.limit))
             + header_line("x-ratelimit-remaining-requests", std::to_string(verdict.remaining))
             + header_line("x-ratelimit-reset-requests", reset_text(verdict.reset));
  if (!verdict.allowed)
    x.extra +=
      header_line("retry-after", fmt::format("{:.0f}", std::ceil(verdict.retry_after.count())));
}

} // namespace

responder::responder(behaviour defaults)
  : defaults_(std::move(defaults)), default_text_(text_of(defaults_)) {
  // nop
}

std::unique_ptr<reply> responder::answer(const http_request& request, clock::time_point now) {
  auto to = find_endpoint(request.method, request.target);
  auto from = to ? to->from : provider_of(request.target);
  auto how = request.behaviour.empty() ? parsed<behaviour>{defaults_}
                                       : parse_behaviour(request.behaviour, defaults_);
  auto random = draw(how ? how->seed : defaults_.seed);
  exchange x{request, fmt::format("{:016x}{:08x}", random(), random() >> 32), {}};
  if (!to)
    return error_reply(x, from, to.error());
  if (!how)
    return error_reply(x, from, {400, how.error().sentence});
  auto key = shown_key(request, *to);
  if (!how->key.empty() && key != how->key)
    return error_reply(x, from, {401, "The API key is missing or wrong."});
  if (to->format == nullptr)
    return whole(x, 200, "application/json", models_body());
  if (how->rate_limit != 0) {
    auto verdict = count(key, how->rate_limit, now);
    add_limit_headers(verdict, x);
    if (!verdict.allowed)
      return error_reply(x, from, {429, "The limit of requests a minute is reached."});
  }
  if (!how->text)
    how->text = how->events == defaults_.events && how->text_bytes == defaults_.text_bytes
                  ? default_text_
                  : text_of(*how);
  auto asked = parse_question(*to, request.body);
  if (!asked)
    return error_reply(x, from, {400, asked.error().sentence});
  return reply_to(x, *to, *asked, *how, random);
}

std::unique_ptr<reply> responder::refuse(const refusal& why) {
  http_request none;
  none.keep_alive = false;
  return error_reply({none, "none", {}}, provider::openai, why);
}

random_source responder::draw(std::uint64_t seed) {
  std::lock_guard guard{mutex_};
  // Mixed twice: neighbouring seeds must not give shifted copies of one sequence.
  random_source of_seed{seed};
  return random_source{random_source{of_seed() + requests_[seed]++}()};
}

rate_limit::verdict responder::count(const std::string& key, std::uint32_t limit,
                                     clock::time_point now) {
  std::lock_guard guard{mutex_};
  if (limits_.size() >= most_limits) // a full bucket is as good as a new one
    std::erase_if(limits_, [now](const auto& x) { return x.second.full(now); });
  return limits_.try_emplace({key, limit}, limit, now).first->second.ask(now);
}

} // namespace lathe::llm_server

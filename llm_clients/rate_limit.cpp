#include "llm_clients/rate_limit.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

namespace lathe::llm_clients {

namespace {

using namespace std::chrono_literals;
using duration = std::chrono::steady_clock::duration;
using header_map = std::map<std::string, std::string>;

constexpr duration window = rate_limit::window;
constexpr auto slot_width = duration{250ms};
constexpr auto unsaid_pause = 1'000ms;

// What a server asks for is believed so far; then a call finds out.
constexpr auto longest_wait = std::chrono::seconds{1h};

// One part in so many of what a server has is left to others that share its limit, whom its headers
// do not foretell. At a simulated server shared by halves, one call in eight was refused without
// this and one in 140 with it.
constexpr std::int64_t left_to_others = 20;

// More than any server handles, and sums of it stay far from overflow.
constexpr std::int64_t most_tokens = 1'000'000'000'000;

struct limit_headers {
  rate_kind kind;
  const char* limit;
  const char* remaining;
  const char* reset;
};

// Those that are documented and mean a minute. Together's `x-ratelimit-limit` is of a second, and
// OpenRouter's of whatever has run out: their 429 says when there is more.
constexpr limit_headers known_headers[] = {
  // OpenAI, Groq (its requests are a day's, and come back as its reset says), LiteLLM.
  {rate_kind::requests, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
   "x-ratelimit-reset-requests"},
  {rate_kind::tokens, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
   "x-ratelimit-reset-tokens"},
  // Cerebras.
  {rate_kind::tokens, "x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute",
   "x-ratelimit-reset-tokens-minute"},
  // Fireworks. It says nothing of a reset, nor does the next.
  {rate_kind::input_tokens, "x-ratelimit-limit-tokens-prompt",
   "x-ratelimit-remaining-tokens-prompt", ""},
  {rate_kind::output_tokens, "x-ratelimit-limit-tokens-generated",
   "x-ratelimit-remaining-tokens-generated", ""},
  // Baidu's Qianfan.
  {rate_kind::input_tokens, "x-ratelimit-limit-input-tokens", "x-ratelimit-remaining-input-tokens",
   ""},
  {rate_kind::output_tokens, "x-ratelimit-limit-output-tokens",
   "x-ratelimit-remaining-output-tokens", ""},
  // Anthropic.
  {rate_kind::requests, "anthropic-ratelimit-requests-limit",
   "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
  {rate_kind::input_tokens, "anthropic-ratelimit-input-tokens-limit",
   "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
  {rate_kind::output_tokens, "anthropic-ratelimit-output-tokens-limit",
   "anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
};

// -- header values ----------------------------------------------------------------------

const std::string* find(const header_map& headers, const char* name) {
  auto i = headers.find(name);
  return i == headers.end() ? nullptr : &i->second;
}

std::optional<std::int64_t> count_of(const std::string* text) {
  if (text == nullptr)
    return std::nullopt;
  std::int64_t result = 0;
  auto end = text->data() + text->size();
  auto [rest, code] = std::from_chars(text->data(), end, result);
  auto whole = code == std::errc{} && rest == end;
  return whole && result >= 0 && result <= most_tokens ? std::optional{result} : std::nullopt;
}

std::optional<double> unit_of(std::string_view name) {
  constexpr std::pair<std::string_view, double> units[] = {
    {"d", 86'400}, {"h", 3'600}, {"m", 60}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
  for (auto [unit, seconds] : units)
    if (unit == name)
      return seconds;
  return std::nullopt;
}

// [seconds] of a duration as Go writes it: "6m0s", "1.5s", "20ms". A number without a unit is none:
// servers mean seconds, milliseconds or a date by it.
std::optional<double> seconds_of(std::string_view text) {
  constexpr std::string_view digits = "0123456789.";
  double result = 0;
  do {
    auto number = text.substr(0, text.find_first_not_of(digits));
    text.remove_prefix(number.size());
    auto name = text.substr(0, text.find_first_of(digits));
    text.remove_prefix(name.size());
    double x = 0;
    auto [rest, code] = std::from_chars(number.data(), number.data() + number.size(), x);
    auto unit = unit_of(name);
    if (!unit || code != std::errc{} || rest != number.data() + number.size())
      return std::nullopt;
    result += x * *unit;
  } while (!text.empty());
  return result;
}

// [seconds since the epoch] of a date as RFC 3339 has it: "2025-10-25T12:00:00Z". A fraction of a
// second is cut off.
std::optional<double> date_of(const std::string& text) {
  std::tm time{};
  auto rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (rest == nullptr)
    return std::nullopt;
  if (*rest == '.')
    rest += 1 + std::string_view{rest + 1}.find_first_not_of("0123456789");
  std::tm offset{};
  auto east = *rest == '+';
  auto end = *rest == 'Z' ? rest + 1 : strptime(rest + (east || *rest == '-'), "%H:%M", &offset);
  if (end == nullptr || *end != '\0')
    return std::nullopt;
  auto ahead = (offset.tm_hour * 60 + offset.tm_min) * 60;
  return static_cast<double>(timegm(&time)) - (east ? ahead : -ahead);
}

// [seconds since the epoch] at the server when it answered.
std::optional<double> sent_at(const header_map& headers) {
  auto text = find(headers, "date");
  std::tm time{};
  if (text == nullptr || !strptime(text->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time))
    return std::nullopt;
  return static_cast<double>(timegm(&time));
}

std::optional<double> time_until(const header_map& headers, const std::string& text) {
  if (auto seconds = seconds_of(text))
    return seconds;
  auto date = date_of(text);
  auto sent = sent_at(headers);
  return date && sent ? std::optional{*date - *sent} : std::nullopt;
}

// A minute's limit is back after a minute where a server does not say so understandably.
duration refill_time(const header_map& headers, const char* name) {
  auto text = find(headers, name);
  auto seconds = text == nullptr ? std::nullopt : time_until(headers, *text);
  auto longest = static_cast<double>(longest_wait.count());
  return std::chrono::duration_cast<duration>(
    std::chrono::duration<double>{std::clamp(seconds.value_or(60), 0.0, longest)});
}

} // namespace

rate_limit::rate_limit(model_limits configured)
  : configured_{configured.requests_per_minute, configured.input_tokens_per_minute,
                configured.output_tokens_per_minute, configured.tokens_per_minute},
    most_in_flight_(std::max(configured.in_flight, 1)), in_flight_(most_in_flight_) {
  // nop
}

// -- calls --------------------------------------------------------------------------------

std::optional<rate_limit::time_point> rate_limit::next_time(time_point now,
                                                            const call_tokens& request) const {
  if (out_.size() >= static_cast<std::size_t>(in_flight_))
    return std::nullopt;
  auto need = amounts_of(request);
  auto result = std::max(now, held_until_);
  for (std::size_t kind = 0; kind < kinds; ++kind)
    result = std::max(
      {result, window_allows(now, kind, need[kind]), server_allows(now, kind, need[kind])});
  return result;
}

rate_limit::ticket rate_limit::start(time_point now, const call_tokens& request) {
  for (; !slots_.empty() && slots_.front().last + window <= now; ++first_slot_)
    slots_.pop_front();
  if (slots_.empty() || now - slots_.back().first > slot_width)
    slots_.push_back({now, now, {}});
  auto& slot = slots_.back();
  slot.last = std::max(slot.last, now);
  auto need = amounts_of(request);
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    slot.counted[kind] += need[kind];
    reports_[kind].started += need[kind];
  }
  out_[++last_ticket_] = {first_slot_ + slots_.size() - 1, need};
  return last_ticket_;
}

void rate_limit::answered(ticket id, const call_tokens& used) {
  auto node = out_.extract(id);
  if (!node)
    return;
  correct(node.mapped(), used);
  if (in_flight_ < most_in_flight_ && ++successes_ >= in_flight_) {
    ++in_flight_;
    successes_ = 0;
  }
}

void rate_limit::failed(ticket id, bool may_be_charged) {
  auto node = out_.extract(id);
  if (node && !may_be_charged)
    correct(node.mapped(), {});
}

void rate_limit::refused(time_point now, ticket id, std::chrono::milliseconds retry_after) {
  auto pause = retry_after > 0ms ? retry_after : unsaid_pause;
  held_until_ =
    std::max(held_until_, now + std::min<std::chrono::milliseconds>(pause, longest_wait));
  auto node = out_.extract(id);
  if (!node)
    return;
  correct(node.mapped(), {});
  successes_ = 0;
  if (id > halved_up_to_) {
    in_flight_ = std::max(in_flight_ / 2, 1);
    halved_up_to_ = last_ticket_;
  }
}

void rate_limit::correct(const under_way& call, const call_tokens& used) {
  if (call.slot < first_slot_)
    return;
  auto& counted = slots_[call.slot - first_slot_].counted;
  auto actual = amounts_of(used);
  for (std::size_t kind = 0; kind < kinds; ++kind)
    counted[kind] += actual[kind] - call.reserved[kind];
}

// -- when there is room -------------------------------------------------------------------

rate_limit::time_point rate_limit::window_allows(time_point now, std::size_t kind,
                                                 std::int64_t need) const {
  auto most = limit(static_cast<rate_kind>(kind));
  if (most == 0)
    return now;
  auto others = std::max<std::int64_t>(most - need, 0);
  auto result = now;
  auto count = counted(now, static_cast<rate_kind>(kind));
  for (auto i = slots_.begin(); count > others; ++i) {
    if (i->last + window <= now)
      continue;
    count -= i->counted[kind];
    result = i->last + window;
  }
  return result;
}

// Servers refill continuously: Anthropic says so, and what OpenAI sends fits (of 5000 requests a
// minute, one is back after 12 ms).
rate_limit::time_point rate_limit::server_allows(time_point now, std::size_t kind,
                                                 std::int64_t need) const {
  const auto& said = reports_[kind];
  if (!said.remaining || now >= said.full_at)
    return now;
  auto most = said.limit.value_or(need);
  auto missing = std::min(need + most / left_to_others, most) + said.started - *said.remaining;
  if (missing <= 0)
    return now;
  auto refilled = most - *said.remaining;
  if (!said.limit || missing >= refilled)
    return said.full_at;
  auto share = static_cast<double>(missing) / static_cast<double>(refilled);
  auto whole = std::chrono::duration<double>{said.full_at - said.at};
  return std::max(now, said.at + std::chrono::ceil<duration>(whole * share));
}

// -- what the server says -----------------------------------------------------------------

void rate_limit::observe(time_point now, const header_map& headers) {
  for (const auto& names : known_headers) {
    auto& said = reports_[static_cast<std::size_t>(names.kind)];
    if (auto limit = count_of(find(headers, names.limit)); limit && *limit > 0)
      said.limit = limit;
    if (auto remaining = count_of(find(headers, names.remaining))) {
      said.remaining = remaining;
      said.at = now;
      said.full_at = now + refill_time(headers, names.reset);
      said.started = 0;
    }
  }
}

// -- properties ---------------------------------------------------------------------------

std::vector<seen_limit> rate_limit::seen() const {
  std::vector<seen_limit> result;
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    const auto& said = reports_[kind];
    if (said.limit || said.remaining)
      result.push_back({static_cast<rate_kind>(kind), said.limit, said.remaining, said.full_at});
  }
  return result;
}

std::int64_t rate_limit::limit(rate_kind kind) const {
  auto index = static_cast<std::size_t>(kind);
  auto configured = std::max(configured_[index], std::int64_t{0});
  auto said = reports_[index].limit.value_or(0);
  return configured == 0 || said == 0 ? std::max(configured, said) : std::min(configured, said);
}

std::int64_t rate_limit::counted(time_point now, rate_kind kind) const {
  std::int64_t result = 0;
  for (const auto& slot : slots_)
    if (slot.last + window > now)
      result += slot.counted[static_cast<std::size_t>(kind)];
  return result;
}

rate_limit::amounts rate_limit::amounts_of(const call_tokens& tokens) {
  auto input = std::clamp(tokens.input, std::int64_t{0}, most_tokens);
  auto output = std::clamp(tokens.output, std::int64_t{0}, most_tokens);
  return {1, input, output, input + output};
}

} // namespace lathe::llm_clients

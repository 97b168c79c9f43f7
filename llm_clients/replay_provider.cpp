#include "llm_clients/replay_provider.hpp"

#include "llm_clients/io_thread.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/retry_policy.hpp"
#include "llm_clients/text_difference.hpp"

#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string_view>
#include <tuple>

namespace lathe::llm_clients {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_prefix = 4096; // [bytes] of two prompts that are compared
constexpr std::size_t largest_sample = 256;  // [lines] of a question
constexpr text_versions versions{"asked", "recorded"};
constexpr double longest_delay = 86'400; // [seconds]

// -- which is nearest -------------------------------------------------------------------

void add_lines(std::string_view text, std::vector<std::uint64_t>& sample) {
  for (std::size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find('\n', begin), text.size());
    sample.push_back(std::hash<std::string_view>{}(text.substr(begin, end - begin)));
    begin = end + 1;
  }
}

// The smallest hashes of a question's distinct lines, sorted. They are a random sample that is the
// same for the same lines: two samples tell, at a fixed price, how much two long texts have in
// common (Broder, "On the resemblance and containment of documents", 1997).
std::vector<std::uint64_t> line_sample(const llm_request& x) {
  std::vector<std::uint64_t> result;
  add_lines(x.system, result);
  add_lines(x.prompt, result);
  for (const auto& y : x.follow_ups)
    add_lines(y.answer, result);
  std::ranges::sort(result);
  result.erase(std::unique(result.begin(), result.end()), result.end());
  result.resize(std::min(result.size(), largest_sample));
  result.shrink_to_fit();
  return result;
}

// Returns the share of the lines that are in both, among those that are in either.
double resemblance(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::size_t both = 0;
  std::size_t either = 0;
  for (auto i = a.begin(), j = b.begin(); (i != a.end() || j != b.end()) && either < largest_sample;
       ++either) {
    auto in_a = j == b.end() || (i != a.end() && *i <= *j);
    auto in_b = i == a.end() || (j != b.end() && *j <= *i);
    both += in_a && in_b;
    i += in_a;
    j += in_b;
  }
  return either == 0 ? 1 : static_cast<double>(both) / static_cast<double>(either);
}

std::size_t short_prefix(const std::string& a, const std::string& b) {
  return common_prefix(std::string_view{a}.substr(0, longest_prefix),
                       std::string_view{b}.substr(0, longest_prefix));
}

// -- what differs -----------------------------------------------------------------------

std::string conversation_of(const llm_request& x) {
  std::string result;
  for (const auto& y : x.follow_ups)
    result += y.answer + "\n" + y.prompt + "\n";
  return result;
}

// Says how two different questions of the same role differ.
std::string difference(const llm_request& asked, const llm_request& recorded) {
  if (asked.system != recorded.system)
    return "its system message differs first in "
           + first_difference(asked.system, recorded.system, versions);
  if (asked.prompt != recorded.prompt)
    return "its prompt differs first in "
           + first_difference(asked.prompt, recorded.prompt, versions);
  if (conversation_of(asked) != conversation_of(recorded))
    return "the conversation since its prompt differs first in "
           + first_difference(conversation_of(asked), conversation_of(recorded), versions);
  return fmt::format("it is the same, but was asked of model '{}'", recorded.model);
}

std::string described(const llm_request& x) {
  return fmt::format("request {} of agent '{}' in session '{}'", x.request, x.agent, x.session);
}

// -- when it comes ----------------------------------------------------------------------

using seconds = std::chrono::duration<double>;

seconds at_pace(seconds recorded, double pace) {
  auto result = recorded.count() * pace;
  return seconds{result > 0 ? std::min(result, longest_delay) : 0}; // not a number: none
}

seconds delay_of(const reply& x, double pace) {
  auto answer = std::get_if<llm_answer>(&x);
  return answer == nullptr ? seconds{0} : at_pace(seconds{answer->seconds}, pace);
}

// A 429 that does not say how long is waited for as well. None is left without any wait: it would
// be one that does not say how long.
std::chrono::milliseconds wait_of(const failure& x, double pace) {
  auto is_unsaid = x.status == 429 && x.retry_after.count() == 0;
  auto asked = is_unsaid ? retry_policy{}.unsaid : x.retry_after;
  if (asked.count() <= 0)
    return std::chrono::milliseconds{0};
  auto result = std::chrono::duration_cast<std::chrono::milliseconds>(at_pace(asked, pace));
  return std::max(result, std::chrono::milliseconds{1});
}

} // namespace

// -- finding what was recorded --------------------------------------------------------------

playback::playback(cassette recording, replay_by by, std::vector<secret> keys)
  : exchanges_(std::move(recording.exchanges)), by_(by), kept_(std::move(keys)) {
  samples_.reserve(exchanges_.size());
  for (const auto& x : exchanges_) {
    samples_.push_back(line_sample(x.question));
    tracks_[track_of(x)].exchanges.push_back(&x);
  }
  auto place = [by](const recorded_exchange* x) {
    return by == replay_by::question ? x->attempt : x->asked;
  };
  for (auto& [name, x] : tracks_)
    std::ranges::stable_sort(x.exchanges, {}, place);
}

reply playback::answer(const llm_request& question) {
  recorded_exchange asked;
  asked.question = kept_.of(question);
  asked.hash = question_hash(asked.question);
  std::size_t recorded = 0;
  {
    std::lock_guard guard{mutex_};
    if (auto found = tracks_.find(track_of(asked)); found != tracks_.end()) {
      auto& x = found->second;
      if (x.played < x.exchanges.size())
        return x.exchanges[x.played++]->outcome;
      recorded = x.exchanges.size();
    }
  }
  return failure{failure_kind::refuse, explain_miss(asked, recorded)};
}

std::string playback::track_of(const recorded_exchange& x) const {
  if (by_ == replay_by::question)
    return x.hash;
  // Whoever is asked to go on has to get what goes on.
  return fmt::format("[{},{},{},{}]", json_string(x.question.session),
                     json_string(x.question.model), json_string(x.question.role),
                     x.question.follow_ups.size());
}

std::string playback::explain_miss(const recorded_exchange& asked, std::size_t recorded) const {
  const auto& question = asked.question;
  auto name = described(question);
  if (by_ == replay_by::order)
    return fmt::format("nothing was recorded for this question, {}: of {} recorded for role '{}' "
                       "and model '{}' none is left",
                       name, recorded, question.role, question.model);
  if (recorded > 0)
    return fmt::format("nothing was recorded for this question, {}: it was asked {} times in the "
                       "recording, and now once more",
                       name, recorded);
  auto found = nearest(question);
  if (found == nullptr)
    return fmt::format("nothing was recorded for this question, {}, nor for any of role '{}'", name,
                       question.role);
  return fmt::format("nothing was recorded for this question, {}; nearest is {}: {}", name,
                     described(found->question), difference(question, found->question));
}

const recorded_exchange* playback::nearest(const llm_request& question) const {
  const recorded_exchange* result = nullptr;
  std::tuple<double, bool, std::size_t> best;
  auto sample = line_sample(question);
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    const auto& x = exchanges_[i].question;
    if (x.role != question.role)
      continue;
    std::tuple rank{resemblance(sample, samples_[i]), x.model == question.model,
                    short_prefix(x.prompt, question.prompt)};
    if (result != nullptr && rank <= best)
      continue;
    result = &exchanges_[i];
    best = rank;
  }
  return result;
}

// -- answering --------------------------------------------------------------------------

replay_provider::replay_provider(std::shared_ptr<playback> recording, double pace,
                                 std::shared_ptr<io_thread> io)
  : recording_(std::move(recording)), pace_(pace), io_(std::move(io)) {
  // nop
}

void replay_provider::ask(const llm_request& question, completion done) {
  auto outcome = recording_->answer(question);
  if (auto* failed = std::get_if<failure>(&outcome))
    failed->retry_after = wait_of(*failed, pace_);
  auto delay = delay_of(outcome, pace_);
  if (delay.count() <= 0)
    return done(std::move(outcome));
  auto timer = std::make_shared<asio::steady_timer>(io_->context());
  timer->expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(delay));
  timer->async_wait([timer, outcome = std::move(outcome), done](const boost::system::error_code&) {
    done(outcome);
  });
}

} // namespace lathe::llm_clients

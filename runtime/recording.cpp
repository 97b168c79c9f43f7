#include "runtime/recording.hpp"

#include "actors/session_journal.hpp"
#include "llm_clients/exchange.hpp"
#include "llm_clients/json_fields.hpp"
#include "messages/error.hpp"
#include "runtime/replay.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>

namespace lathe::runtime {

namespace {

using actors::request_issued;
using actors::session_started;

request_id request_of(const actors::session_event& event) {
  return std::visit(
    [](const auto& x) -> request_id {
      if constexpr (requires { x.id; })
        return x.id;
      return 0;
    },
    event);
}

caf::error damaged(const journal_record& record) {
  return make_error(errc::journal_failed,
                    fmt::format("event {} ({}) does not parse", record.seq, record.kind));
}

caf::expected<recorded_event> read_question(recorded_event x) {
  simdjson::dom::parser parser;
  llm_clients::field_reader fields;
  if (parser.parse(x.record.payload).get(fields.object) != simdjson::SUCCESS)
    return damaged(x.record);
  x.source = record_source::gateway;
  x.request = fields.get<std::uint64_t>("request");
  x.model = fields.text("model");
  x.prompt = llm_clients::text_at(fields.object, "prompt");
  if (!fields.missing.empty())
    return damaged(x.record);
  return x;
}

bool is_device_record(const std::string& kind) {
  return kind == "lease" || kind == "device";
}

template <class Event>
bool holds(const recorded_event& x) {
  return x.event && std::holds_alternative<Event>(*x.event);
}

} // namespace

bool recorded_event::is_decision() const {
  return holds<request_issued>(*this) || holds<actors::session_ended>(*this);
}

caf::expected<recorded_event> read_recorded(journal_record record) {
  recorded_event result;
  result.record = std::move(record);
  if (is_device_record(result.record.kind))
    return result;
  if (llm_clients::is_about_questions(result.record.kind))
    return read_question(std::move(result));
  auto event = actors::from_record(result.record);
  if (!event)
    return std::move(event.error());
  result.source = record_source::session;
  result.request = request_of(*event);
  result.event = std::move(*event);
  return result;
}

bool says_the_same(const recorded_event& recorded, const journal_record& now) {
  const auto& x = recorded.record;
  return x.session == now.session && x.kind == now.kind
         && (x.payload == now.payload
             || (recorded.event
                 && actors::to_record(x.session, *recorded.event).payload == now.payload));
}

caf::expected<recording> recording::read(std::vector<journal_record> records) {
  recording result;
  past_check check;
  for (auto& record : records) {
    auto event = read_recorded(std::move(record));
    if (!event)
      return std::move(event.error());
    if (event->event)
      if (auto error = check(event->record, *event->event))
        return error;
    result.events_.push_back(std::move(*event));
  }
  auto begins = [&] { return std::ranges::any_of(result.events_, holds<session_started>); };
  if (begins())
    result.index();
  if (!begins()) // nor in what is played
    return make_error(errc::user_error, "no session began in it");
  return result;
}

void recording::index() {
  std::map<session_id, std::optional<request_key>> preparing;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (auto why = why_not_played(i); !why.empty()) {
      left_out_ = fmt::format("event {}, {}", events_[i].record.seq, why);
      events_.resize(i);
      return;
    }
    const auto& x = events_[i];
    if (x.source == record_source::gateway) {
      if (is_asked_anew(x))
        anew_.insert(i);
      questions_[x.key()].push_back(i);
    } else if (holds<request_issued>(x))
      issued_.emplace(x.key(), i);
    else if (holds<actors::task_prepared>(x)) {
      if (auto key = preparation_of(x.record.session))
        outcomes_.emplace(*key, i);
    } else if (x.request > 0)
      outcomes_.emplace(x.key(), i);
  }
}

std::string recording::why_not_played(std::size_t place) const {
  const auto& x = events_[place];
  if (holds<actors::topology_changed>(x))
    return "where 'lathe apply' changed the topology";
  if (holds<actors::session_suspended>(x))
    return "where it was suspended";
  // What is written at once has one time; a session that decides without having heard of anything
  // has been taken up.
  if (x.is_decision()
      && (place == 0 || events_[place - 1].record.session != x.record.session
          || events_[place - 1].record.time != x.record.time))
    return "where it was taken up again after a stop";
  if (x.record.kind != llm_clients::reserved_kind)
    return {};
  auto asked = questions_.find(x.key());
  if (asked == questions_.end())
    return {};
  // Today's Lathe writes first that a call is lost that was out.
  const auto& last = events_[asked->second.back()];
  auto still_out =
    last.record.kind == llm_clients::reserved_kind && (last.model == x.model || is_asked_anew(x));
  return still_out ? "where it was taken up again after a crash" : std::string{};
}

// Returns the place of a model among those that may be asked for an agent, its own first.
std::ptrdiff_t recording::rank_of(const recorded_event& question) const {
  auto* agent = plan().agent(target_of(question.key()));
  auto* own = agent == nullptr ? nullptr : plan().model(agent->model);
  if (own == nullptr || own->name == question.model)
    return 0;
  return 1 + (std::ranges::find(own->fallback, question.model) - own->fallback.begin());
}

// As long as it is out, a question goes from a model to those behind it, and never back.
bool recording::is_asked_anew(const recorded_event& question) const {
  auto asked = questions_.find(question.key());
  if (question.record.kind != llm_clients::reserved_kind || asked == questions_.end())
    return false;
  for (auto i = asked->second.rbegin(); i != asked->second.rend(); ++i) {
    const auto& earlier = events_[*i];
    if (earlier.prompt != question.prompt) // one of them goes on with an answer
      continue;
    if (earlier.record.kind == llm_clients::reserved_kind)
      return rank_of(question) < rank_of(earlier);
    if (earlier.record.kind == llm_clients::released_kind)
      return true;
  }
  return false;
}

bool recording::is_whole() const {
  auto ended = std::ranges::count_if(events_, holds<actors::session_ended>);
  return left_out_.empty() && static_cast<std::size_t>(ended) == tasks().size();
}

const topology& recording::plan() const {
  auto first = std::ranges::find_if(events_, holds<session_started>); // `read` has made sure
  return std::get<session_started>(*first->event).plan;
}

std::vector<task> recording::tasks() const {
  std::vector<task> result;
  for (const auto& x : events_)
    if (holds<session_started>(x))
      result.push_back(std::get<session_started>(*x.event).subject);
  return result;
}

std::optional<std::size_t> recording::outcome_of(const request_key& key) const {
  auto i = outcomes_.find(key);
  return i == outcomes_.end() ? std::nullopt : std::optional{i->second};
}

std::optional<std::size_t> recording::begin_of(const request_key& key) const {
  auto asked = questions_.find(key);
  return asked == questions_.end() ? outcome_of(key) : std::optional{asked->second.front()};
}

std::optional<std::size_t> recording::question_of(const request_key& key,
                                                  const std::string& prompt) const {
  auto asked = questions_.find(key);
  if (asked == questions_.end())
    return std::nullopt;
  auto i = std::ranges::find_if(asked->second,
                                [&](std::size_t place) { return events_[place].prompt == prompt; });
  return i == asked->second.end() ? std::nullopt : std::optional{*i};
}

std::optional<std::size_t> recording::next_of(const request_key& key, std::size_t from) const {
  auto asked = questions_.find(key);
  if (asked == questions_.end())
    return std::nullopt;
  auto i = std::ranges::lower_bound(asked->second, from);
  return i == asked->second.end() ? std::nullopt : std::optional{*i};
}

// It is the first that a session issues.
std::optional<request_key> recording::preparation_of(const session_id& session) const {
  auto i = issued_.lower_bound({session, 0});
  return i == issued_.end() || i->first.first != session ? std::nullopt : std::optional{i->first};
}

std::string recording::target_of(const request_key& key) const {
  auto i = issued_.find(key);
  return i == issued_.end() ? std::string{}
                            : std::get<request_issued>(*events_[i->second].event).target;
}

std::map<std::string, std::int32_t> recording::most_at_once() const {
  std::map<std::string, std::int32_t> now;
  std::map<std::string, std::int32_t> most;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const auto& x = events_[i];
    auto target = target_of(x.key());
    if (holds<request_issued>(x))
      most[target] = std::max(most[target], ++now[target]);
    else if (outcome_of(x.key()) == i)
      --now[target];
  }
  return most;
}

std::vector<std::vector<double>> recording::clock_of(const session_id& session) const {
  std::vector<std::vector<double>> result;
  std::vector<double> guesses; // of the time when nothing was issued, from the journal's clock
  double elapsed = 0;
  double at = 0; // [seconds since the epoch] when it had worked for so long
  for (const auto& x : events_) {
    if (x.source != record_source::session || x.record.session != session)
      continue;
    if (holds<session_started>(x))
      at = x.record.time;
    if (!x.is_decision()) {
      result.emplace_back();
      guesses.push_back(elapsed + std::max(0.0, x.record.time - at));
    } else if (auto* issued = std::get_if<request_issued>(&*x.event);
               issued != nullptr && !result.empty()) {
      elapsed = issued->elapsed;
      at = x.record.time;
      result.back().push_back(elapsed);
    }
  }
  auto latest = std::numeric_limits<double>::infinity(); // it was not later than the next request
  for (auto i = result.size(); i-- > 0;) {
    auto first = result[i].empty() ? latest : result[i].front();
    result[i].push_back(result[i].empty() ? std::min(guesses[i], latest) : result[i].back());
    latest = first;
  }
  if (!result.empty())
    result.front().insert(result.front().begin(), 0); // when it begins it looks once more
  return result;
}

} // namespace lathe::runtime

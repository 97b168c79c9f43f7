#include "runtime/replay.hpp"

#include "actors/search/search_policy.hpp"
#include "actors/session_journal.hpp"
#include "gpu/lease_log.hpp"
#include "llm_clients/json_text.hpp"
#include "messages/error.hpp"
#include "messages/event_json.hpp"
#include "runtime/journal/run_directory.hpp"
#include "runtime/topology/ports.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::runtime {

namespace {

/// Finds contents that the journal must have.
class contents {
public:
  explicit contents(journal_store& journal) : journal_(journal) {
    // nop
  }

  caf::expected<std::string> operator()(const std::string& hash) const {
    auto text = journal_.content(hash);
    if (!text)
      return std::move(text.error());
    if (!*text)
      return make_error(errc::journal_failed,
                        fmt::format("the journal lacks the text {}, which an event names", hash));
    return std::move(**text);
  }

private:
  journal_store& journal_;
};

caf::error add_texts(const actors::session_event& event, const contents& text_of,
                     session_past& past) {
  auto* drafts = std::get_if<actors::drafts_received>(&event);
  if (drafts == nullptr)
    return {};
  for (auto& draft : drafts->drafts) {
    auto text = text_of(draft.hash);
    if (!text)
      return std::move(text.error());
    past.texts.emplace(draft.hash, std::move(*text));
  }
  return {};
}

template <class T>
caf::expected<T> parse(const journal_record& record) {
  auto result = from_json<T>(record.payload);
  if (!result)
    return make_error(errc::journal_failed,
                      fmt::format("event {} ({}) does not parse: {}", record.seq, record.kind,
                                  describe(result.error())));
  return result;
}

caf::error add_lease(const journal_record& record, run_past& past) {
  auto span = parse<lease_span>(record);
  if (!span)
    return std::move(span.error());
  past.leases.add(*span);
  // Whatever was wrong with a device that is used again is over, also when a run was taken up.
  auto news = past.devices.find(span->device);
  if (news != past.devices.end() && span->granted > news->second.time)
    past.devices.erase(news);
  return {};
}

caf::error add_device(const journal_record& record, run_past& past) {
  auto news = parse<device_event>(record);
  if (!news)
    return std::move(news.error());
  past.devices.insert_or_assign(news->device, device_news{*news, record.time});
  return {};
}

std::string quoted(const std::string& text) {
  return llm_clients::json_string(text);
}

// Returns what is wrong with the plan, or nothing: a session relies on routes that fit.
std::string problem_with(const topology& plan) {
  for (const auto& agent : plan.agents)
    if (ports_of(plan, agent.name) != &ports_of(agent.role))
      return fmt::format("has an agent {}, which is the name of another", quoted(agent.name));
  for (const auto& route : plan.routes) {
    auto* source = ports_of(plan, route.source);
    auto* output = source == nullptr ? nullptr : source->output(route.port);
    auto takes = [&](const std::string& name) {
      auto* target = ports_of(plan, name);
      return output != nullptr && target != nullptr && target->accepts(output->gives);
    };
    if (!std::ranges::all_of(route.targets, takes))
      return fmt::format(
        "has the route {}, which does not fit",
        quoted(fmt::format("{}{}{} -> {}", route.source, route.port.empty() ? "" : ".", route.port,
                           fmt::join(route.targets, ", "))));
  }
  return {};
}

bool has_role(const agent_config* agent, role x) {
  return agent != nullptr && agent->role == x;
}

} // namespace

// -- what can have happened -----------------------------------------------------------------

caf::error past_check::operator()(const journal_record& record,
                                  const actors::session_event& event) {
  auto wrong = problem(record.session, event);
  return wrong.empty() ? caf::error{}
                       : make_error(errc::user_error, fmt::format("event {} ({}) {}", record.seq,
                                                                  record.kind, wrong));
}

std::string past_check::problem(const session_id& name, const actors::session_event& event) {
  if (auto* started = std::get_if<actors::session_started>(&event))
    return begin(name, *started);
  auto known = sessions_.find(name);
  if (known == sessions_.end())
    return "is of a session that has not begun";
  return std::visit(
    [&](const auto& x) -> std::string {
      if constexpr (requires { known->second.on(x); })
        return known->second.on(x);
      return {};
    },
    event);
}

std::string past_check::begin(const session_id& name, const actors::session_started& x) {
  if (!is_session_name(name))
    return fmt::format("names its session {}, which cannot be the name of a file", quoted(name));
  if (x.subject.name != name)
    return fmt::format("begins the session {} with the task {}", quoted(name),
                       quoted(x.subject.name));
  if (actors::make_search_policy(x.plan.search) == nullptr)
    return fmt::format("names the search policy {}, which this version does not know",
                       quoted(x.plan.search.policy));
  auto [i, is_new] = sessions_.try_emplace(name);
  return is_new ? i->second.change(x.plan) : "begins a session that has begun";
}

std::string past_check::session::change(const topology& x) {
  plan = x;
  return problem_with(plan);
}

// A fixer mends what was judged, on its line; a profiler looks at what was judged.
bool past_check::session::is_about_what_is_there(const actors::request_issued& x) const {
  auto* agent = plan.agent(x.target);
  auto mends = has_role(agent, role::fixer);
  auto reads_verdict = mends || has_role(agent, role::profiler);
  return x.line >= (mends ? 0 : -1) && x.line < lines
         && (!x.idea || (*x.idea >= 0 && static_cast<std::size_t>(*x.idea) < ideas))
         && (!x.confirm || candidates.contains(x.subject))
         && (!reads_verdict || judged.contains(x.subject)) && x.queries > 0;
}

std::optional<actors::request_issued> past_check::session::take(request_id id) {
  auto node = in_flight.extract(id);
  return node ? std::optional{std::move(node.mapped())} : std::nullopt;
}

std::string past_check::session::on(const actors::topology_changed& x) {
  auto fits = [this](const auto& entry) { return is_about_what_is_there(entry.second); };
  auto wrong = change(x.plan);
  if (wrong.empty() && !std::ranges::all_of(in_flight, fits))
    return "gives an agent another role while it works";
  return wrong;
}

std::string past_check::session::on(const actors::task_prepared&) {
  std::erase_if(in_flight, [](const auto& entry) {
    return entry.second.target == evaluator_node && entry.second.subject.empty();
  });
  return {};
}

std::string past_check::session::on(const actors::request_issued& x) {
  lines += has_role(plan.agent(x.target), role::coder) ? 1 : 0;
  in_flight.emplace(x.id, x);
  return is_about_what_is_there(x)
           ? std::string{}
           : "is about a candidate, an idea or a line of work that is not there";
}

std::string past_check::session::on(const actors::ideas_received& x) {
  if (take(x.id))
    ideas += x.answer.ideas.size();
  return {};
}

std::string past_check::session::on(const actors::drafts_received& x) {
  auto request = take(x.id);
  if (!request || plan.agent(request->target) == nullptr)
    return {};
  for (const auto& draft : x.drafts)
    if (candidates.insert(draft.id).second && !draft.problem.empty())
      judged.insert(draft.id);
  return {};
}

std::string past_check::session::on(const actors::verdict_received& x) {
  if (auto request = take(x.id); request && candidates.contains(request->subject))
    judged.insert(request->subject);
  return {};
}

std::string past_check::session::on(const actors::insight_received& x) {
  take(x.id);
  return {};
}

std::string past_check::session::on(const actors::request_failed& x) {
  take(x.id);
  return {};
}

// -- reading --------------------------------------------------------------------------------

caf::expected<run_past> read_past(journal_store& journal) {
  auto records = journal.read_events();
  if (!records)
    return std::move(records.error());
  contents text_of{journal};
  past_check check;
  run_past result;
  for (auto& record : *records) {
    if (llm_clients::is_about_questions(record.kind)) {
      if (auto error = llm_clients::read_record(record, text_of, result.answers))
        return error;
      continue;
    }
    if (record.kind == gpu::lease_event) {
      if (auto error = add_lease(record, result))
        return error;
      continue;
    }
    if (record.kind == device_event::kind) {
      if (auto error = add_device(record, result))
        return error;
      continue;
    }
    auto event = actors::from_record(record);
    if (!event)
      return std::move(event.error());
    if (auto error = check(record, *event))
      return error;
    auto& past = result.sessions[record.session];
    if (auto error = add_texts(*event, text_of, past))
      return error;
    past.events.push_back(std::move(*event));
  }
  return result;
}

caf::expected<lease_timeline> read_leases(journal_store& journal) {
  auto records = journal.read_events();
  if (!records)
    return std::move(records.error());
  lease_timeline result;
  for (auto& record : *records) {
    if (record.kind != gpu::lease_event)
      continue;
    auto span = parse<lease_span>(record);
    if (!span)
      return std::move(span.error());
    result.add(*span);
  }
  return result;
}

actors::session_state fold(session_past past) {
  actors::session_state result;
  for (auto& [hash, text] : past.texts)
    result.add_text(hash, std::move(text));
  for (auto& event : past.events)
    result.apply(event);
  return result;
}

} // namespace lathe::runtime

#include "actors/session_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lathe::actors {

namespace {

// A winner is timed again before it is handed out; after this many that shrink below the next one
// the best of them is taken.
constexpr int max_confirmations = 3;

// In a row: a search whose questions cost nothing and get no answers would never end.
constexpr std::int64_t most_failures = 50;

std::string origin_of(const request_issued& request, const agent_config& agent,
                      const candidate_id& id, const received_draft& draft) {
  if (agent.role == role::recipe && request.subject.empty())
    return fmt::format("recipe: {}", draft.label);
  if (agent.role == role::recipe)
    return fmt::format("recipe: {} around {}", draft.label, request.subject);
  if (agent.role == role::fixer)
    return fmt::format("{} <- {}", id, request.subject);
  if (!request.parents.empty())
    return fmt::format("{} <- {}", id, fmt::join(request.parents, ", "));
  if (request.idea)
    return fmt::format("{} <- planner idea {}", id, *request.idea + 1);
  return id;
}

} // namespace

// -- the fold ---------------------------------------------------------------------------

void session_state::add_text(const std::string& hash, std::string text) {
  texts_.emplace(hash, std::move(text));
}

void session_state::apply(const session_event& event) {
  // A change of the topology does not set it going.
  suspended_ = suspended_ && std::holds_alternative<topology_changed>(event);
  std::visit([this](const auto& x) { on(x); }, event);
}

void session_state::on(const session_started& x) {
  subject_ = x.subject;
  plan_ = x.plan;
  search_ = make_search_policy(plan_.search);
}

void session_state::on(const task_prepared& x) {
  std::erase_if(in_flight_, [](const auto& entry) {
    return entry.second.target == evaluator_node && entry.second.subject.empty();
  });
  profile_ = x.profile;
  deliver(std::string{task_source}, "", {}, -1);
}

void session_state::on(const request_issued& x) {
  last_id_ = std::max(last_id_, x.id);
  elapsed_ = x.elapsed;
  in_flight_.emplace(x.id, x);
  auto same = [&](const delivery& d) { return d.target == x.target && d.subject == x.subject; };
  if (auto i = std::find_if(waiting_.begin(), waiting_.end(), same); i != waiting_.end())
    waiting_.erase(i);
  if (asks_llm(x.target))
    queries_ += x.queries;
  auto* agent = plan_.agent(x.target);
  if (agent == nullptr)
    return;
  if (agent->role == role::coder) {
    search_->begin({x.idea, x.parents});
    briefings_.emplace(x.id, brief(x));
    lines_.push_back({x.idea, x.parents, 0, false, {}});
  } else if (agent->role == role::fixer) {
    ++lines_[static_cast<std::size_t>(x.line)].fixes;
  }
}

void session_state::on(const ideas_received& x) {
  if (!take(x.id))
    return;
  failed_in_a_row_ = 0;
  cost_ += x.answer.cost;
  ideas_.insert(ideas_.end(), x.answer.ideas.begin(), x.answer.ideas.end());
  search_->add_ideas(static_cast<std::int32_t>(x.answer.ideas.size()));
}

void session_state::on(const drafts_received& x) {
  auto request = take(x.id);
  if (!request)
    return;
  failed_in_a_row_ = 0;
  coded_ = coded_ || !is_recipe(request->target);
  cost_ += x.cost;
  queries_ -= request->queries - std::clamp<std::int64_t>(x.cost.queries, 1, request->queries);
  for (auto& line : x.declined) {
    auto told =
      request->subject.empty() ? line : fmt::format("around {}: {}", request->subject, line);
    if (std::find(declined_.begin(), declined_.end(), told) == declined_.end())
      declined_.push_back(std::move(told));
  }
  if (is_recipe(request->target) && request->subject.empty())
    recipes_[request->target] = {x.usable, x.drafts.empty() || x.usable.empty()};
  for (auto& draft : x.drafts)
    add_candidate(*request, draft);
}

void session_state::on(const verdict_received& x) {
  auto request = take(x.id);
  auto i = request ? index_.find(request->subject) : index_.end();
  if (i == index_.end())
    return;
  failed_in_a_row_ = 0;
  auto& entry = candidates_[i->second];
  entry.verdict = x.answer;
  entry.confirmed = request->confirm;
  if (request->confirm)
    return;
  if (x.answer.correct())
    judged_correct(entry);
  else
    judged_wrong(entry);
}

void session_state::on(const insight_received& x) {
  auto request = take(x.id);
  if (!request)
    return;
  failed_in_a_row_ = 0;
  cost_ += x.answer.cost;
  if (auto i = index_.find(request->subject); i != index_.end())
    candidates_[i->second].insight = x.answer.text;
}

void session_state::on(const request_failed& x) {
  auto request = take(x.id);
  if (!request)
    return;
  if (x.code == errc::provider_refused || (!profile_ && request->target == evaluator_node))
    fatal_ = x.reason;
  if (x.code == errc::budget_exhausted) {
    queries_ -= request->queries; // it never went out
    out_of_budget_.insert(request->target);
    budget_reason_ = x.reason;
    drop_waiting([&](const delivery& d) { return d.target == request->target; });
  } else if (x.code == errc::cancelled) {
    queries_ -= request->queries; // nor did this, and nobody is to blame
  } else {
    queries_ -= request->queries - 1;
    ++failures_;
    ++failed_in_a_row_;
    last_failure_ = x.reason;
  }
  if (is_recipe(request->target) && request->subject.empty())
    recipes_[request->target].over = true;
  if (request->confirm)
    candidates_[index_.at(request->subject)].confirmed = true; // as good as it gets
  else
    conclude(request->line);
}

void session_state::on(const topology_changed& x) {
  plan_ = x.plan;
  drop_waiting(
    [this](const delivery& d) { return d.target != evaluator_node && !plan_.agent(d.target); });
  out_of_budget_.clear(); // who still is will be told again
  failed_in_a_row_ = 0;
}

void session_state::on(const session_suspended&) {
  suspended_ = true;
}

void session_state::on(const session_ended& x) {
  ended_ = x;
}

// -- steps of the fold --------------------------------------------------------------------

template <class Predicate>
void session_state::drop_waiting(Predicate is_lost) {
  for (auto& x : waiting_)
    if (is_lost(x))
      conclude(x.line);
  std::erase_if(waiting_, is_lost);
}

std::optional<request_issued> session_state::take(request_id id) {
  auto node = in_flight_.extract(id);
  if (node.empty())
    return std::nullopt;
  briefings_.erase(id);
  return std::move(node.mapped());
}

void session_state::add_candidate(const request_issued& request, const received_draft& draft) {
  auto* agent = plan_.agent(request.target);
  if (agent == nullptr) { // it was taken out of the topology while it worked
    conclude(request.line);
    return;
  }
  candidate_entry entry;
  entry.id = draft.id;
  entry.hash = draft.hash;
  entry.label = draft.label;
  entry.maker = request.target;
  entry.origin = origin_of(request, *agent, draft.id, draft);
  if (agent->role == role::recipe)
    entry.around = request.subject;
  else
    entry.line = request.line;
  ++made_[request.target];
  index_.emplace(draft.id, candidates_.size());
  candidates_.push_back(std::move(entry));
  auto& added = candidates_.back();
  if (draft.problem.empty()) {
    deliver(request.target, "candidate", added.id, added.line);
  } else {
    added.verdict.emplace();
    added.verdict->outcome = outcome::build_failed;
    added.verdict->rule = "no-code";
    added.verdict->evidence = draft.problem;
    judged_wrong(added);
  }
}

void session_state::judged_correct(const candidate_entry& entry) {
  search_->add_correct(entry.id, entry.speedup());
  deliver(std::string{evaluator_node}, "correct", entry.id, entry.line);
  conclude(entry.line);
}

void session_state::judged_wrong(const candidate_entry& entry) {
  if (entry.line < 0)
    return; // a recipe that does not fit this task is nobody's to mend
  auto& line = lines_[static_cast<std::size_t>(entry.line)];
  line.history.push_back({entry.id, line.idea ? ideas_[static_cast<std::size_t>(*line.idea)] : "",
                          fmt::format("{}: {}", to_string(entry.verdict->outcome),
                                      entry.verdict->evidence)});
  if (can_fix(entry))
    deliver(std::string{evaluator_node}, "rejected", entry.id, entry.line);
  else
    conclude(entry.line);
}

void session_state::conclude(std::int64_t line) {
  if (line < 0 || lines_[static_cast<std::size_t>(line)].concluded)
    return;
  lines_[static_cast<std::size_t>(line)].concluded = true;
  search_->conclude();
}

void session_state::deliver(const std::string& source, const std::string& port,
                            const candidate_id& subject, std::int64_t line) {
  for (auto& target : targets(source, port)) {
    auto* entry = find(subject);
    auto is_recipe_again = entry != nullptr && is_recipe(entry->maker) && is_recipe(target);
    if (target != search_node && !is_recipe_again) // the policy was told when the event came in
      waiting_.push_back({target, subject, line});
  }
}

// -- decisions ------------------------------------------------------------------------------

std::optional<session_event> session_state::next(double elapsed, bool stopping) const {
  if (ended_ || subject_.name.empty())
    return std::nullopt;
  if (!fatal_.empty())
    return in_flight_.empty() ? std::optional<session_event>{session_ended{fatal_, true}}
                              : std::nullopt;
  if (!profile_) {
    if (stopping || !in_flight_.empty())
      return std::nullopt;
    return issue(std::string{evaluator_node}, {}, -1, elapsed);
  }
  if (!stopping) {
    if (auto x = next_delivery(elapsed))
      return x;
    if (auto x = next_recipes(elapsed))
      return x;
    if (auto x = next_line(elapsed))
      return x;
  }
  if (stopping || !in_flight_.empty())
    return std::nullopt;
  if (auto x = next_confirmation(elapsed))
    return x;
  return end(elapsed);
}

std::optional<session_event> session_state::next_delivery(double elapsed) const {
  for (auto& x : waiting_)
    if (!asks_llm(x.target) || affordable(x.target, elapsed))
      return issue(x.target, x.subject, x.line, elapsed);
  return std::nullopt;
}

std::optional<session_event> session_state::next_recipes(double elapsed) const {
  for (auto& agent : plan_.agents)
    if (wants_more(agent, elapsed))
      return issue(agent.name, {}, -1, elapsed);
  return std::nullopt;
}

std::optional<session_event> session_state::next_line(double elapsed) const {
  auto coders = targets(std::string{search_node}, "assignment");
  if (coders.empty() || !ideas_settled(elapsed) || !affordable(coders.front(), elapsed))
    return std::nullopt;
  // Nobody asks a thousand times what may be refused each time.
  auto at_stake = static_cast<std::int64_t>(in_flight_.size()) + failed_in_a_row_;
  if (!coded_ && at_stake >= most_failures)
    return std::nullopt;
  auto choice = search_->choose();
  if (!choice)
    return std::nullopt;
  auto request = issue(coders.front(), {}, static_cast<std::int64_t>(lines_.size()), elapsed);
  request.idea = choice->idea;
  request.parents = std::move(choice->parents);
  return request;
}

std::optional<session_event> session_state::next_confirmation(double elapsed) const {
  auto* winner = best();
  auto confirmed = std::count_if(candidates_.begin(), candidates_.end(),
                                 [](const candidate_entry& x) { return x.confirmed; });
  if (winner == nullptr || winner->confirmed || confirmed >= max_confirmations)
    return std::nullopt;
  auto request = issue(std::string{evaluator_node}, winner->id, winner->line, elapsed);
  request.confirm = true;
  return request;
}

session_ended session_state::end(double elapsed) const {
  auto reason = why_over(elapsed);
  if (failures_ > 0)
    reason += fmt::format("; {} request{} failed, the last one because: {}", failures_,
                          failures_ == 1 ? "" : "s", last_failure_);
  return {std::move(reason), false};
}

std::string session_state::why_over(double elapsed) const {
  auto& budget = plan_.budget;
  if (targets(std::string{search_node}, "assignment").empty()) {
    if (time_is_up(elapsed))
      return fmt::format("the budget of {:.0f} s is used up", budget.wall);
    auto goes_on = [](const auto& x) { return !x.second.over; };
    return std::any_of(recipes_.begin(), recipes_.end(), goes_on)
             ? "as many recipes have been tried as 'drafts' allows"
             : "every recipe has been tried";
  }
  if (budget.queries > 0 && queries_ >= budget.queries)
    return fmt::format("the budget of {} queries is used up", budget.queries);
  if (failed_in_a_row_ >= most_failures)
    return fmt::format("{} requests in a row failed", failed_in_a_row_);
  if (budget.usd > 0 && cost_.usd >= budget.usd)
    return fmt::format("the budget of ${:.2f} is used up", budget.usd);
  if (!out_of_budget_.empty())
    return budget_reason_;
  if (time_is_up(elapsed))
    return fmt::format("the budget of {:.0f} s is used up", budget.wall);
  return "the search has nothing left to try";
}

request_issued session_state::issue(std::string target, candidate_id subject, std::int64_t line,
                                    double elapsed) const {
  request_issued result;
  result.id = last_id_ + 1;
  result.target = std::move(target);
  result.subject = std::move(subject);
  result.line = line;
  result.elapsed = elapsed;
  result.queries = queries_for(result.target);
  return result;
}

candidate_id session_state::next_candidate_id(const std::string& agent, std::int32_t skip) const {
  auto i = made_.find(agent);
  return fmt::format("{}#{}", agent, (i == made_.end() ? 0 : i->second) + 1 + skip);
}

// -- predicates -----------------------------------------------------------------------------

bool session_state::asks_llm(const std::string& target) const {
  auto* agent = plan_.agent(target);
  return agent != nullptr && !agent->model.empty();
}

std::string session_state::mailbox_of(const std::string& target) const {
  auto* agent = plan_.agent(target);
  auto* asked = agent == nullptr ? nullptr : plan_.model(agent->model);
  if (asked == nullptr)
    return {};
  auto is_mailbox = [this](const std::string& name) {
    auto* model = plan_.model(name);
    return model != nullptr && model->provider == provider_kind::mailbox;
  };
  if (is_mailbox(asked->name))
    return asked->name;
  auto stand_in = std::find_if(asked->fallback.begin(), asked->fallback.end(), is_mailbox);
  return stand_in == asked->fallback.end() ? std::string{} : *stand_in;
}

std::int32_t session_state::queries_for(const std::string& target) const {
  auto* agent = plan_.agent(target);
  auto is_last = plan_.budget.queries > 0 && plan_.budget.queries - queries_ < 2;
  return agent != nullptr && agent->continue_cut && !is_last ? 2 : 1;
}

bool session_state::is_recipe(const std::string& target) const {
  auto* agent = plan_.agent(target);
  return agent != nullptr && agent->role == role::recipe;
}

bool session_state::affordable(const std::string& agent, double elapsed) const {
  auto& budget = plan_.budget;
  return !out_of_budget_.contains(agent) && failed_in_a_row_ < most_failures
         && (budget.queries == 0 || queries_ < budget.queries)
         && (budget.usd == 0 || cost_.usd < budget.usd) && !time_is_up(elapsed);
}

bool session_state::time_is_up(double elapsed) const {
  return plan_.budget.wall > 0 && elapsed >= plan_.budget.wall;
}

bool session_state::ideas_settled(double elapsed) const {
  auto plans = [this](const std::string& target) {
    auto* agent = plan_.agent(target);
    return agent != nullptr && agent->role == role::planner;
  };
  return std::none_of(in_flight_.begin(), in_flight_.end(),
                      [&](const auto& x) { return plans(x.second.target); })
         && std::none_of(waiting_.begin(), waiting_.end(), [&](const delivery& x) {
              return plans(x.target) && affordable(x.target, elapsed);
            });
}

bool session_state::wants_more(const agent_config& agent, double elapsed) const {
  auto i = recipes_.find(agent.name);
  if (!is_recipe(agent.name) || i == recipes_.end() || i->second.over)
    return false;
  auto of_task = [&](const candidate_entry& x) { return x.is_recipe_of(agent.name); };
  if (std::count_if(candidates_.begin(), candidates_.end(), of_task) >= agent.drafts
      || time_is_up(elapsed))
    return false;
  auto is_its_own = [&](const std::string& target, const candidate_id& subject) {
    auto* entry = target == evaluator_node ? find(subject) : nullptr;
    return (target == agent.name && subject.empty()) || (entry != nullptr && of_task(*entry));
  };
  return std::none_of(in_flight_.begin(), in_flight_.end(),
                      [&](const auto& x) { return is_its_own(x.second.target, x.second.subject); })
         && std::none_of(waiting_.begin(), waiting_.end(),
                         [&](const delivery& x) { return is_its_own(x.target, x.subject); });
}

bool session_state::can_fix(const candidate_entry& entry) const {
  auto fixers = targets(std::string{evaluator_node}, "rejected");
  auto* fixer = fixers.empty() ? nullptr : plan_.agent(fixers.front());
  return fixer != nullptr && !out_of_budget_.contains(fixer->name)
         && lines_[static_cast<std::size_t>(entry.line)].fixes < fixer->attempts;
}

std::vector<std::string> session_state::targets(const std::string& source,
                                                const std::string& port) const {
  std::vector<std::string> result;
  std::map<role, std::string> chosen; // one agent of each role
  for (auto& route : plan_.routes) {
    if (route.source != source || route.port != port)
      continue;
    for (auto& target : route.targets) {
      auto* agent = plan_.agent(target);
      if (agent == nullptr) {
        result.push_back(target);
      } else if (auto [i, added] = chosen.try_emplace(agent->role, target);
                 !added && outstanding(target) < outstanding(i->second)) {
        i->second = target;
      }
    }
  }
  for (auto& [ignored, target] : chosen)
    result.push_back(target);
  return result;
}

std::size_t session_state::outstanding(const std::string& target) const {
  auto asked = std::count_if(in_flight_.begin(), in_flight_.end(),
                             [&](const auto& x) { return x.second.target == target; });
  auto queued = std::count_if(waiting_.begin(), waiting_.end(),
                              [&](const delivery& x) { return x.target == target; });
  return static_cast<std::size_t>(asked + queued);
}

// -- properties -------------------------------------------------------------------------------

const candidate_entry* session_state::find(const candidate_id& id) const {
  auto i = index_.find(id);
  return i == index_.end() ? nullptr : &candidates_[i->second];
}

const candidate_entry* session_state::best() const {
  auto slower = [](const candidate_entry& x, const candidate_entry& y) {
    return x.speedup() < y.speedup();
  };
  auto i = std::max_element(candidates_.begin(), candidates_.end(), slower);
  return i == candidates_.end() || i->speedup() == 0 ? nullptr : &*i;
}

const std::string& session_state::text(const std::string& hash) const {
  static const std::string none;
  auto i = texts_.find(hash);
  return i == texts_.end() ? none : i->second;
}

spend session_state::cost() const {
  auto result = cost_;
  result.queries = queries_;
  return result;
}

session_status session_state::status() const {
  session_status result;
  result.name = subject_.name;
  result.cost = cost();
  result.in_flight = static_cast<std::int32_t>(in_flight_.size());
  result.finished = ended_.has_value();
  for (auto& x : candidates_) {
    if (!x.verdict)
      continue;
    ++result.tried;
    if (x.verdict->correct())
      ++result.right;
    else if (x.verdict->outcome == outcome::refused)
      ++result.refused;
    else
      ++result.wrong;
  }
  if (auto* winner = best(); winner != nullptr && winner->verdict->wins()) {
    result.best = winner->origin;
    result.speedup = winner->verdict->timing->speedup;
    result.low = winner->verdict->timing->low;
    result.high = winner->verdict->timing->high;
  }
  if (suspended_)
    for (auto& [id, request] : in_flight_)
      if (auto model = mailbox_of(request.target); !model.empty())
        ++result.waiting[model];
  if (ended_)
    result.state = ended_->failed ? "failed" : "done";
  else if (suspended_)
    result.state = "suspended";
  else if (!profile_)
    result.state = "preparing";
  else if (std::any_of(in_flight_.begin(), in_flight_.end(),
                       [](const auto& x) { return x.second.confirm; }))
    result.state = "confirming";
  else
    result.state = "searching";
  return result;
}

std::vector<session_event> opening_of(session_started start) {
  session_state state;
  state.apply(start);
  std::vector<session_event> result{std::move(start)};
  while (auto event = state.next(0, false)) {
    state.apply(*event);
    result.push_back(std::move(*event));
  }
  return result;
}

} // namespace lathe::actors

#include "actors/session_state.hpp"

#include "messages/content_hash.hpp"

#include <algorithm>

// How a session turns an issued request into the message that goes out: whatever an agent needs to
// answer is put into it here.

namespace lathe::actors {

namespace {

// How many failures an assignment tells about: more than this is noise in a prompt.
constexpr std::size_t max_lessons = 6;

// Evaluations of lines that cost queries go before those of recipes, confirmations last of all.
constexpr std::int32_t line_priority = 1;

} // namespace

prepare_request session_state::preparation() const {
  auto reads_profile = [](const agent_config& x) { return x.role != role::recipe; };
  return {subject_, std::none_of(plan_.agents.begin(), plan_.agents.end(), reads_profile)};
}

outgoing session_state::message_for(const request_issued& request) const {
  auto profile = profile_.value_or(task_profile{});
  if (request.target == evaluator_node) {
    auto* entry = find(request.subject);
    if (entry == nullptr)
      return preparation();
    return evaluation_request{subject_.name,
                              request.id,
                              candidate{entry->id, text(entry->hash), entry->origin},
                              entry->line < 0 ? 0 : line_priority,
                              request.confirm,
                              !request.confirm && profiles_winners(),
                              kin_of(*entry)};
  }
  auto* agent = plan_.agent(request.target);
  auto* entry = find(request.subject);
  switch (agent == nullptr ? role::coder : agent->role) {
    case role::planner:
      return plan_request{subject_.name, request.id, subject_, profile};
    case role::recipe:
      return recipes_wanted(request, *agent);
    case role::profiler:
      return profile_request{subject_.name, request.id, subject_, profile,
                             candidate{entry->id, text(entry->hash), entry->origin},
                             *entry->verdict};
    case role::fixer:
      return fix_request{subject_.name,
                         request.id,
                         subject_,
                         profile,
                         candidate{entry->id, text(entry->hash), entry->origin},
                         *entry->verdict,
                         lines_[static_cast<std::size_t>(request.line)].history,
                         request.queries};
    case role::coder:
      break;
  }
  return assignment_for(request);
}

assignment session_state::assignment_for(const request_issued& request) const {
  auto known = briefings_.find(request.id);
  auto told = known == briefings_.end() ? brief(request) : known->second;
  assignment result{
    subject_.name, request.id,     subject_, profile_.value_or(task_profile{}), {}, {},
    told.lessons,  request.queries};
  if (request.idea && static_cast<std::size_t>(*request.idea) < ideas_.size())
    result.idea = ideas_[static_cast<std::size_t>(*request.idea)];
  for (std::size_t i = 0; i < request.parents.size(); ++i)
    if (auto* parent = find(request.parents[i]); parent != nullptr && parent->speedup() > 0)
      result.parents.push_back({parent->id, text(parent->hash), parent->verdict->timing->candidate,
                                parent->speedup(), told.insights[i]});
  return result;
}

session_state::briefing session_state::brief(const request_issued& request) const {
  briefing result{lessons(), {}};
  for (auto& id : request.parents) {
    auto* parent = find(id);
    result.insights.push_back(parent == nullptr ? std::string{} : parent->insight);
  }
  return result;
}

std::string session_state::kin_of(const candidate_entry& entry) const {
  return is_recipe(entry.maker) && entry.around.empty() ? content_hash(subject_.source)
                                                        : std::string{};
}

recipe_request session_state::recipes_wanted(const request_issued& request,
                                             const agent_config& agent) const {
  recipe_request result{subject_.name, request.id, subject_, {}, {}, agent.drafts, {}, {}, {}};
  if (auto* given = find(request.subject); given != nullptr) {
    result.around = text(given->hash);
    return result;
  }
  for (auto& x : candidates_)
    if (x.is_recipe_of(request.target))
      result.tried.push_back({x.label, x.speedup()});
  result.drafts = std::max(0, agent.drafts - static_cast<std::int32_t>(result.tried.size()));
  if (auto i = recipes_.find(request.target); i != recipes_.end())
    result.usable = i->second.usable;
  auto is_gone = [&](const std::string& name) { // since `lathe apply`
    auto& all = agent.passes;
    return all != std::vector<std::string>{"all"}
           && std::find(all.begin(), all.end(), name) == all.end();
  };
  std::erase_if(result.usable, is_gone);
  return result;
}

bool session_state::profiles_winners() const {
  auto next = targets(std::string{evaluator_node}, "correct");
  return std::any_of(next.begin(), next.end(), [this](const std::string& target) {
    auto* agent = plan_.agent(target);
    return agent != nullptr && agent->role == role::profiler;
  });
}

std::vector<attempt_note> session_state::lessons() const {
  std::vector<attempt_note> result;
  for (auto line = lines_.rbegin(); line != lines_.rend() && result.size() < max_lessons; ++line)
    if (!line->history.empty())
      result.push_back(line->history.back());
  std::reverse(result.begin(), result.end());
  return result;
}

} // namespace lathe::actors

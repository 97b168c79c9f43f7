#include "actors/prompt.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

namespace lathe::actors {

namespace {

using data = kainjow::mustache::data;

std::string milliseconds(double seconds) {
  return fmt::format("{:.3g}", seconds * 1e3);
}

// What every template may use.
data common(const task& subject, const task_profile& profile) {
  data result;
  result.set("task_name", subject.name);
  result.set("task_source", subject.source);
  result.set("device", profile.where.device);
  result.set("software", profile.where.software);
  result.set("judge", profile.where.judge);
  result.set("shapes", profile.shapes);
  data baselines{data::type::list};
  for (auto& x : profile.baselines) {
    data item;
    item.set("name", x.name);
    item.set("ms", milliseconds(x.seconds));
    baselines.push_back(item);
  }
  result.set("baselines", baselines);
  if (!profile.baselines.empty())
    result.set("reference_ms", milliseconds(profile.baselines.front().seconds));
  return result;
}

data list_of(const std::vector<attempt_note>& notes) {
  data result{data::type::list};
  for (auto& note : notes) {
    data item;
    item.set("id", note.id);
    item.set("idea", note.idea);
    item.set("result", note.result);
    result.push_back(item);
  }
  return result;
}

caf::expected<std::string> render_part(const agent_config& agent, std::string part,
                                       const data& values) {
  kainjow::mustache::mustache prompt{std::move(part)};
  if (!prompt.is_valid())
    return make_error(errc::user_error, fmt::format("the prompt template of agent '{}': {}",
                                                    agent.name, prompt.error_message()));
  return prompt.render(values);
}

caf::expected<rendered_prompt> render(const agent_config& agent, const data& values) {
  constexpr std::string_view mark = "\n{{!question}}\n";
  auto at = agent.prompt.find(mark);
  auto is_parted = at != std::string::npos;
  auto system = render_part(agent, is_parted ? agent.prompt.substr(0, at) : "", values);
  if (!system)
    return std::move(system.error());
  auto text =
    render_part(agent, is_parted ? agent.prompt.substr(at + mark.size()) : agent.prompt, values);
  if (!text)
    return std::move(text.error());
  return rendered_prompt{std::move(*system), std::move(*text)};
}

} // namespace

caf::expected<rendered_prompt> render_prompt(const agent_config& agent,
                                             const plan_request& request) {
  auto values = common(request.subject, request.profile);
  values.set("ideas", std::to_string(agent.ideas));
  return render(agent, values);
}

caf::expected<rendered_prompt> render_prompt(const agent_config& agent, const assignment& request) {
  auto values = common(request.subject, request.profile);
  if (!request.idea.empty())
    values.set("idea", request.idea);
  data parents{data::type::list};
  for (auto& x : request.parents) {
    data item;
    item.set("id", x.id);
    item.set("source", x.source);
    item.set("ms", milliseconds(x.seconds));
    item.set("speedup", fmt::format("{:.2f}", x.speedup));
    if (!x.insight.empty()) // a text that is set is true, even when it is empty
      item.set("insight", x.insight);
    parents.push_back(item);
  }
  values.set("parents", parents);
  values.set("history", list_of(request.history));
  return render(agent, values);
}

caf::expected<rendered_prompt> render_prompt(const agent_config& agent,
                                             const fix_request& request) {
  auto values = common(request.subject, request.profile);
  auto attempt = static_cast<std::int32_t>(request.history.size());
  values.set("rejected_source", request.rejected.source);
  values.set("outcome", to_string(request.verdict.outcome));
  values.set("evidence", request.verdict.evidence);
  values.set("attempt", std::to_string(attempt));
  values.set("attempts_left", std::to_string(std::max(0, agent.attempts - attempt)));
  values.set("history", list_of(request.history));
  return render(agent, values);
}

caf::expected<rendered_prompt> render_prompt(const agent_config& agent,
                                             const profile_request& request) {
  auto values = common(request.subject, request.profile);
  values.set("candidate_source", request.correct.source);
  values.set("profile", request.verdict.profile);
  if (auto& time = request.verdict.timing) {
    values.set("ms", milliseconds(time->candidate));
    values.set("speedup", fmt::format("{:.2f}", time->speedup));
  }
  return render(agent, values);
}

} // namespace lathe::actors

#include "runtime/progress.hpp"

#include "runtime/report.hpp"
#include "runtime/spending.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::runtime {

using namespace actors;


namespace {

constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view plain = "\x1b[0m";

std::string painted(std::string text, std::string_view paint, bool colour) {
  return colour ? fmt::format("{}{}{}", paint, text, plain) : text;
}

std::string row(const session_status& x, std::size_t width, bool colour) {
  auto best = fmt::format("{:>8}", fmt::format("{:.2f}x", x.speedup));
  auto state = fmt::format("{:<10}", x.state);
  if (x.speedup > 1)
    best = painted(best, green, colour);
  if (x.state == "failed")
    state = painted(state, red, colour);
  auto how = x.best.size() > 30 ? x.best.substr(0, 29) + "…" : x.best;
  // The ellipsis is one column but three bytes.
  auto columns = x.best.size() > 30 ? 32 : 30;
  return fmt::format("  {:<{}}  {} {}  {:<{}} {:>5} {:>6} {:>6} {:>8}   ${:.2f}", x.name, width,
                     state, best, how, columns, x.tried, x.right, x.wrong, x.refused, x.cost.usd);
}

std::string agents_line(const progress_view& view) {
  std::vector<std::string> parts;
  for (auto& pool : view.pools)
    parts.push_back(pool.queued > 0
                      ? fmt::format("{} {}/{} +{}", pool.name, pool.busy, pool.instances, pool.queued)
                      : fmt::format("{} {}/{}", pool.name, pool.busy, pool.instances));
  auto text = fmt::format("  agents {} · {}", fmt::join(parts, " · "), format_clock(view.elapsed));
  if (auto left = time_left(view))
    text += fmt::format(" · about {} left", format_clock(*left));
  return text;
}

std::string line(double elapsed, const session_state& state, const std::string& text) {
  return fmt::format("{}  {}: {}", format_clock(elapsed), state.subject().name, text);
}

// Newlines of an evidence would break "one line per event".
std::string one_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::optional<std::string> line_for(const session_state& state, const verdict_received& x,
                                    double elapsed) {
  auto* entry = state.find(x.subject);
  auto who = entry == nullptr ? x.subject : entry->origin;
  if (x.answer.correct() && x.answer.timing)
    return line(elapsed, state,
                fmt::format("{}: {}{}", who, format_speedup(*x.answer.timing),
                            entry != nullptr && entry->confirmed ? ", confirmed" : ""));
  auto what = x.answer.outcome == outcome::refused ? fmt::format("refused ({})", x.answer.rule)
                                                   : to_string(x.answer.outcome);
  return line(elapsed, state, fmt::format("{}: {}: {}", who, what, one_line(x.answer.evidence)));
}

std::optional<std::string> line_for(const session_state& state, const drafts_received& x,
                                    double elapsed) {
  auto unusable = [](const received_draft& draft) { return !draft.problem.empty(); };
  auto found = std::find_if(x.drafts.begin(), x.drafts.end(), unusable);
  if (found == x.drafts.end())
    return std::nullopt;
  auto* entry = state.find(found->id);
  return line(elapsed, state, fmt::format("{}: {}", entry == nullptr ? found->id : entry->origin,
                                          one_line(found->problem)));
}

std::optional<std::string> line_for(const session_state& state, const task_prepared& x,
                                    double elapsed) {
  std::vector<std::string> times;
  for (auto& baseline : x.profile.baselines)
    times.push_back(fmt::format("{} {}", baseline.name, format_ms(baseline.seconds)));
  return line(elapsed, state, fmt::format("ready, {}", fmt::join(times, ", ")));
}

std::optional<std::string> line_for(const session_state& state, const ideas_received& x,
                                    double elapsed) {
  if (!x.answer.problem.empty())
    return line(elapsed, state, fmt::format("planner: {}; going on without ideas", x.answer.problem));
  return line(elapsed, state, fmt::format("planner: {} ideas", x.answer.ideas.size()));
}

std::optional<std::string> line_for(const session_state& state, const request_failed& x,
                                    double elapsed) {
  if (x.code == errc::cancelled) // many at once, and the session says why it ends
    return std::nullopt;
  return line(elapsed, state, one_line(x.reason));
}

std::optional<std::string> line_for(const session_state& state, const topology_changed& x,
                                    double elapsed) {
  return line(elapsed, state, fmt::format("goes on under topology {}", x.plan.name));
}

std::optional<std::string> line_for(const session_state& state, const session_suspended& x,
                                    double elapsed) {
  return line(elapsed, state,
              fmt::format("suspended: {} question{} in mailboxes", x.waiting,
                          x.waiting == 1 ? " waits" : "s wait"));
}

std::optional<std::string> line_for(const session_state& state, const session_ended& x,
                                    double elapsed) {
  return line(elapsed, state,
              x.failed ? fmt::format("not worked on: {}", x.reason)
                       : fmt::format("done: {}", x.reason));
}

template <class Event>
std::optional<std::string> line_for(const session_state&, const Event&, double) {
  return std::nullopt;
}

} // namespace

std::string format_clock(double seconds) {
  auto whole = static_cast<std::int64_t>(std::max(0.0, seconds));
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
}

std::vector<std::string> format_table(const progress_view& view, bool colour) {
  std::size_t width = 4;
  for (auto& x : view.sessions)
    width = std::max(width, x.name.size());
  std::vector<std::string> lines;
  lines.push_back(fmt::format("  {:<{}}  {:<10} {:>8}  {:<30} {:>5} {:>6} {:>6} {:>8}   {}", "task",
                              width, "state", "best", "how", "tried", "right", "wrong", "refused",
                              "spend"));
  for (auto& x : view.sessions)
    lines.push_back(row(x, width, colour));
  lines.push_back(agents_line(view));
  if (auto spent = format_spending(view); !spent.empty())
    lines.push_back("  " + spent);
  return lines;
}

std::optional<double> time_left(const progress_view& view) {
  if (view.budget.queries == 0 || view.sessions.empty())
    return std::nullopt;
  double used = 0;
  for (auto& x : view.sessions)
    used += x.finished ? 1.0
                       : static_cast<double>(x.cost.queries)
                           / static_cast<double>(view.budget.queries);
  auto share = used / static_cast<double>(view.sessions.size());
  if (share < 0.05 || share > 0.999)
    return std::nullopt;
  return view.elapsed * (1 - share) / share;
}

std::optional<std::string> format_event(const session_state& state, const session_event& event,
                                        double elapsed) {
  return std::visit([&](const auto& x) { return line_for(state, x, elapsed); }, event);
}

} // namespace lathe::runtime

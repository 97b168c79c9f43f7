#include "runtime/report.hpp"

#include "gpu/forbidden_work.hpp"
#include "runtime/spending.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <map>

namespace lathe::runtime {

namespace {

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string plural(std::int64_t count, const std::string& noun) {
  if (count == 1)
    return "1 " + noun;
  return noun.ends_with('y') ? fmt::format("{} {}ies", count, noun.substr(0, noun.size() - 1))
                             : fmt::format("{} {}s", count, noun);
}

// "torch.compile", "torch.compile(max-autotune)"
std::string compile_name(const baseline& x) {
  auto colon = x.name.find(':');
  return colon == std::string::npos ? "torch." + x.name
                                    : fmt::format("torch.compile({})", x.name.substr(colon + 1));
}

// Those that were timed again with the winner, else those of the task.
const std::vector<baseline>& baselines_of(const session_result& x) {
  auto& again = x.best_row()->verdict.baselines;
  return again.empty() ? x.profile.baselines : again;
}

// All modes of torch.compile, or the best alone: "best torch.compile (max-autotune) 1.87x".
std::vector<std::string> against_compile(const std::vector<baseline>& baselines, double speedup,
                                         bool all) {
  std::vector<baseline> compiled;
  std::copy_if(baselines.begin(), baselines.end(), std::back_inserter(compiled),
               [](const baseline& y) { return y.name != "eager"; });
  if (compiled.empty() || baselines.front().seconds <= 0)
    return {};
  std::vector<std::string> result;
  auto put = [&](const std::string& name, const baseline& y) {
    result.push_back(
      fmt::format("{} {:.2f}x", name, speedup * y.seconds / baselines.front().seconds));
  };
  if (all || compiled.size() == 1)
    for (auto& y : compiled)
      put(compile_name(y), y);
  if (compiled.size() > 1) {
    auto& best = *std::ranges::min_element(compiled, {}, &baseline::seconds);
    auto colon = best.name.find(':');
    put(fmt::format("best torch.compile ({})",
                    colon == std::string::npos ? "default" : best.name.substr(colon + 1)),
        best);
  }
  return result;
}

// "eager 3.41x · torch.compile 1.87x · best recipe (compile) 1.52x · roofline floor 0.061 ms (2.9x
// above it)"
std::string comparison(const session_result& x, const timing& best, bool all) {
  auto parts = against_compile(baselines_of(x), best.speedup, all);
  parts.insert(parts.begin(), fmt::format("eager {:.2f}x", best.speedup));
  if (auto* recipe = x.best_recipe(); recipe != nullptr && recipe->id != x.best)
    parts.push_back(fmt::format("best {} {:.2f}x", recipe->origin,
                                best.speedup / recipe->verdict.timing->speedup));
  if (auto floor = format_floor(best); !floor.empty())
    parts.push_back(std::move(floor));
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string proof(const result_row& x) {
  auto& c = *x.verdict.correctness;
  return fmt::format("{} class (tolerance {}) · {}, {}, worst error {:.2g}x eager's{}",
                     c.precision_class, c.policy, plural(c.input_draws, "input draw"),
                     plural(c.weight_draws, "weight draw"), c.error_ratio,
                     x.confirmed ? "" : " · not measured again yet");
}

// "83 % own kernels, 17 % library, in a CUDA graph"
std::string shares(const device_work& x) {
  std::vector<std::string> parts;
  auto add = [&](double share, std::string_view whose) {
    if (share >= 0.005)
      parts.push_back(fmt::format("{:.0f} % {}", share * 100, whose));
  };
  add(x.own, "own kernels");
  add(x.library, "library");
  add(x.framework, "torch");
  if (parts.empty())
    parts.emplace_back("no work");
  if (x.graphs)
    parts.emplace_back("in a CUDA graph");
  else if (gpu::falls_back(x))
    parts.emplace_back("falls back on torch");
  return fmt::format("{}", fmt::join(parts, ", "));
}

boost::json::value json_of(const device_work& x) {
  return {{"kernels", x.kernels},
          {"own", x.own},
          {"library", x.library},
          {"framework", x.framework},
          {"graphs", x.graphs}};
}

std::string outcome_of(const result_row& row) {
  if (row.verdict.correct() && row.verdict.timing)
    return format_speedup(*row.verdict.timing);
  if (row.verdict.outcome == outcome::refused)
    return fmt::format("refused: {}", row.verdict.rule);
  return to_string(row.verdict.outcome);
}

std::string cell(std::string text) {
  std::string result;
  for (auto c : first_line(text)) {
    if (c == '|')
      result += '\\';
    result += c;
  }
  return result;
}

std::string why_it_rests(const session_result& x) {
  if (x.status.state == "suspended")
    return "suspended: it waits for answers in mailboxes";
  return fmt::format("ended because {}", x.reason.empty() ? "it was stopped" : x.reason);
}

std::string session_section(const session_result& x) {
  auto text = fmt::format("## {}\n\n", x.status.name);
  if (x.status.state == "failed")
    return text + fmt::format("Not worked on: {}\n\n", x.reason);
  auto* best = x.best_row();
  if (best != nullptr && best->verdict.wins()) {
    auto& time = *best->verdict.timing;
    text += fmt::format("**{}** by {}: {} -> {}.\n\n", format_speedup(time), best->origin,
                        format_ms(time.reference), format_ms(time.candidate));
    auto throttled = format_throttled(time);
    text += fmt::format("- proof: {}; {} timed calls a side in {} alternating blocks{}{}{}\n",
                        proof(*best), time.samples, time.blocks,
                        best->confirmed ? ", measured again after the search" : "",
                        throttled.empty() ? "" : ", ", throttled);
    text += fmt::format("- against: {}{}\n", comparison(x, time, true),
                        best->verdict.baselines.empty() ? "" : "; all timed again with it");
    if (auto taste = format_taste(best->verdict); !taste.empty())
      text += fmt::format("- {}\n", taste);
  } else {
    text += "No candidate is faster than the reference beyond doubt.\n\n";
  }
  text += fmt::format("- {} on {}\n", x.profile.where.judge, x.profile.where.device);
  if (!x.profile.degenerate.empty())
    text += fmt::format("- **degenerate task**: {}\n", x.profile.degenerate);
  if (!x.profile.where.sandbox.empty())
    text += fmt::format("- the sandbox lacked on this machine: {}\n", x.profile.where.sandbox);
  text += fmt::format("- {}; {}, ${:.4f}\n\n", why_it_rests(x),
                      plural(x.status.cost.queries, "query"), x.status.cost.usd);
  if (!x.rows.empty()) {
    text += "| candidate | verdict | evidence |\n|---|---|---|\n";
    for (auto& row : x.rows)
      text += fmt::format("| {} | {} | {} |\n", cell(row.origin), cell(outcome_of(row)),
                          cell(row.verdict.evidence));
    text += "\n";
  }
  for (auto& line : x.declined)
    text += fmt::format("- recipe not applied: {}\n", first_line(line));
  return text + (x.declined.empty() ? "" : "\n");
}

boost::json::value json_of(const timing& x) {
  auto floor = x.floor > 0 ? boost::json::value(x.floor * 1e3) : boost::json::value(nullptr);
  return {{"reference_ms", x.reference * 1e3},
          {"candidate_ms", x.candidate * 1e3},
          {"speedup", x.speedup},
          {"low", x.low},
          {"high", x.high},
          {"tie", x.tie()},
          {"samples", x.samples},
          {"blocks", x.blocks},
          {"floor_ms", floor},
          {"throttled", x.throttled}};
}

boost::json::value json_of(const device_time& x) {
  return {{"device", x.device},
          {"seconds", x.wall},
          {"exclusive_seconds", x.exclusive},
          {"shared_seconds", x.shared},
          {"idle_seconds", x.idle()},
          {"leases", x.leases},
          {"exclusive_leases", x.exclusive_leases},
          {"median_exclusive_seconds", x.median_exclusive},
          {"longest_exclusive_seconds", x.longest_exclusive}};
}

// How a program takes ModelNew from a file beside it, whose name need not be a Python one.
std::string import_line(const std::string& module) {
  auto is_plain = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  if (!std::isdigit(static_cast<unsigned char>(module.front()))
      && std::all_of(module.begin(), module.end(), is_plain))
    return fmt::format("from {} import ModelNew", module);
  return fmt::format("ModelNew = importlib.import_module(\"{}\").ModelNew", module);
}

} // namespace

std::string format_ms(double seconds) {
  auto ms = seconds * 1e3;
  auto decimals = ms <= 0 ? 0 : std::clamp(2 - static_cast<int>(std::floor(std::log10(ms))), 0, 6);
  return fmt::format("{:.{}f} ms", ms, decimals);
}

std::string format_speedup(const timing& x) {
  return fmt::format("{:.2f}x [{:.2f}, {:.2f}]{}", x.speedup, x.low, x.high, x.tie() ? " tie" : "");
}

std::string format_taste(const verdict& x) {
  std::vector<std::string> parts;
  if (x.work)
    parts.emplace_back("device: " + shares(*x.work));
  if (x.folds.value_or(false))
    parts.emplace_back("folds its weights");
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string format_floor(const timing& x) {
  if (x.floor <= 0 || x.candidate <= 0)
    return {};
  auto above = x.candidate >= x.floor;
  auto ratio = above ? x.candidate / x.floor : x.floor / x.candidate;
  return fmt::format("roofline floor {} ({:.{}f}x {} it)", format_ms(x.floor), ratio,
                     ratio < 100 ? 1 : 0, above ? "above" : "below");
}

std::string format_baselines(const std::vector<baseline>& baselines, double speedup) {
  auto parts = against_compile(baselines, speedup, true);
  if (!parts.empty())
    parts.insert(parts.begin(), fmt::format("eager {:.2f}x", speedup));
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string format_throttled(const timing& x) {
  if (x.throttled == 0)
    return {};
  return fmt::format("{} throttled pair{} of blocks discarded", x.throttled,
                     x.throttled == 1 ? "" : "s");
}

std::string format_result(const session_result& x, const std::string& best_file) {
  auto& name = x.status.name;
  auto indent = std::string(std::max<std::size_t>(name.size(), 9) + 2, ' ');
  auto head = fmt::format("{:<{}}", name, indent.size());
  if (x.status.state == "failed")
    return fmt::format("{}not worked on: {}\n", head, x.reason);
  std::string text;
  auto* best = x.best_row();
  if (best != nullptr && best->verdict.wins()) {
    auto& time = *best->verdict.timing;
    text += fmt::format("{}{}  {} -> {}  {}\n", head, format_speedup(time),
                        format_ms(time.reference), format_ms(time.candidate), best->origin);
    text += fmt::format("{}{}\n", indent, proof(*best));
    if (auto throttled = format_throttled(time); !throttled.empty())
      text += fmt::format("{}{}\n", indent, throttled);
    text += fmt::format("{}against: {}\n", indent, comparison(x, time, false));
    text += fmt::format("{}{}\n", indent, best_file);
  } else if (best != nullptr) {
    text += fmt::format("{}no win: the best candidate, {}, is {}\n", head, best->origin,
                        format_speedup(*best->verdict.timing));
  } else {
    auto so_far = x.status.state == "suspended" ? " so far" : "";
    text += fmt::format("{}no win{}: no candidate was correct\n", head, so_far);
  }
  for (auto& row : x.rows)
    if (row.verdict.outcome == outcome::refused)
      text += fmt::format("{}refused {}: {}  {}\n", indent, row.id, row.verdict.rule,
                          first_line(row.verdict.evidence));
  return text;
}

std::string format_device(const device_time& x) {
  auto share = [&](double seconds) { return x.wall > 0 ? 100 * seconds / x.wall : 0; };
  return fmt::format("{}  exclusive {:.0f} % · shared {:.0f} % · idle {:.0f} % of {:.0f} s · {}, "
                     "median {:.2f} s",
                     x.device, share(x.exclusive), share(x.shared), share(x.idle()), x.wall,
                     plural(x.exclusive_leases, "exclusive lease"), x.median_exclusive);
}

std::string format_report(const std::string& run_name, const std::string& topology_name,
                          const std::vector<session_result>& results,
                          const std::vector<device_time>& devices,
                          const std::vector<account_status>& accounts) {
  auto text = fmt::format("# Run {}: topology {}\n\n", run_name, topology_name);
  text += "| task | best | how | tried | right | wrong | refused | queries | USD |\n";
  text += "|---|---|---|---|---|---|---|---|---|\n";
  for (auto& x : results) {
    auto& s = x.status;
    auto* best = x.best_row();
    bool wins = best != nullptr && best->verdict.wins();
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {:.4f} |\n", s.name,
                        wins ? format_speedup(*best->verdict.timing) : "no win",
                        wins ? cell(best->origin) : "reference", s.tried, s.right, s.wrong,
                        s.refused, s.cost.queries, s.cost.usd);
  }
  text += "\nSpeed-ups are against PyTorch eager, timed in the same lease in alternating blocks; the "
          "interval is 95 %.\n\n";
  for (auto& x : devices)
    text += fmt::format("- {}\n", format_device(x));
  text += devices.empty() ? "" : "\n";
  text += format_spending_table(accounts);
  for (auto& x : results)
    text += session_section(x);
  return text;
}

std::string format_best_file(const session_result& x) {
  auto* best = x.best_row();
  if (best == nullptr || !best->verdict.timing || !best->verdict.correctness)
    return x.best_source;
  auto& time = *best->verdict.timing;
  auto header = fmt::format("# {}: {} ({} -> {}), made by {}.\n", x.status.name,
                            format_speedup(time), format_ms(time.reference),
                            format_ms(time.candidate), best->origin);
  header += fmt::format("# Proof: {}.\n", proof(*best));
  header += fmt::format("# Measured on {}, {}.\n", x.profile.where.device, x.profile.where.software);
  header += fmt::format("# Use: {}\n\n", import_line(x.status.name + "_best"));
  return header + x.best_source;
}

std::string format_json(const std::string& run_name, const std::vector<session_result>& results,
                        const std::vector<device_time>& devices,
                        const std::vector<account_status>& accounts) {
  boost::json::array sessions;
  for (auto& x : results) {
    boost::json::array rows;
    for (auto& row : x.rows) {
      boost::json::object item{{"id", row.id},
                               {"origin", row.origin},
                               {"outcome", to_string(row.verdict.outcome)},
                               {"rule", row.verdict.rule},
                               {"evidence", row.verdict.evidence}};
      if (row.verdict.timing)
        item["timing"] = json_of(*row.verdict.timing);
      if (row.verdict.work)
        item["work"] = json_of(*row.verdict.work);
      if (row.verdict.folds)
        item["folds"] = *row.verdict.folds;
      rows.push_back(std::move(item));
    }
    auto& s = x.status;
    auto* best = x.best_row();
    sessions.push_back({{"task", s.name},
                        {"state", s.state},
                        {"reason", x.reason},
                        {"best", x.best},
                        {"how", s.best},
                        {"speedup", s.speedup},
                        {"low", s.low},
                        {"high", s.high},
                        {"confirmed", best != nullptr && best->confirmed},
                        {"tried", s.tried},
                        {"right", s.right},
                        {"wrong", s.wrong},
                        {"refused", s.refused},
                        {"queries", s.cost.queries},
                        {"usd", s.cost.usd},
                        {"candidates", std::move(rows)}});
  }
  boost::json::array times;
  for (auto& x : devices)
    times.push_back(json_of(x));
  return boost::json::serialize(boost::json::value{{"run", run_name},
                                                   {"sessions", std::move(sessions)},
                                                   {"devices", std::move(times)},
                                                   {"spending", spending_json(accounts)}});
}

} // namespace lathe::runtime

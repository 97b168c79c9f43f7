#include "tools/lathe/judging/kernelbench_results.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace lathe::judging {

namespace {

namespace json = boost::json;

// KernelBench keeps three significant digits.
double rounded(double milliseconds) {
  return std::stod(fmt::format("{:.3g}", milliseconds));
}

const judgement& chosen(const row& x) {
  auto i = std::ranges::find(x.judgements, "kernelbench", &judgement::judge);
  return i == x.judgements.end() ? x.judgements.front() : *i;
}

bool compiled(const verdict& x) {
  // What the screen refuses was not even read by Python.
  auto screened = x.stages.size() == 1 && x.stages.front().stage == "screen";
  return x.outcome != outcome::build_failed && !(x.outcome == outcome::refused && screened);
}

// Under KernelBench's own keys where it has them, and in full under "lathe".
json::object metadata(const judgement& x, const std::string& hardware, const std::string& device) {
  json::object result{{"hardware", hardware}, {"device", device}};
  auto* found = x.verdict();
  if (found == nullptr) {
    result["other_error"] = describe(x.problem);
    return result;
  }
  switch (found->outcome) {
    case outcome::correct:
    case outcome::unstable:
      break;
    case outcome::incorrect:
      result["correctness_issue"] = found->evidence;
      break;
    case outcome::build_failed:
      result["compilation_error"] = found->evidence;
      break;
    default:
      result[compiled(*found) ? "runtime_error" : "compilation_error"] = found->evidence;
  }
  json::object ours{
    {"judge", x.rules}, {"outcome", to_string(found->outcome)}, {"rule", found->rule}};
  if (found->timing)
    ours["speedup"] = {{"value", found->timing->speedup},
                       {"low", found->timing->low},
                       {"high", found->timing->high}};
  result["lathe"] = std::move(ours);
  return result;
}

json::object statistics(const std::vector<double>& seconds, const std::string& hardware,
                        const std::string& device) {
  if (seconds.empty())
    return {};
  auto count = static_cast<double>(seconds.size());
  double sum = 0;
  for (auto x : seconds)
    sum += x;
  auto mean = sum / count;
  double squares = 0;
  for (auto x : seconds)
    squares += (x - mean) * (x - mean);
  auto [smallest, largest] = std::ranges::minmax(seconds);
  return {{"mean", rounded(mean * 1e3)},
          {"std", rounded(std::sqrt(squares / count) * 1e3)},
          {"min", rounded(smallest * 1e3)},
          {"max", rounded(largest * 1e3)},
          {"num_trials", seconds.size()},
          {"hardware", hardware},
          {"device", device}};
}

json::object sample(const row& x, const std::string& hardware, const std::string& device) {
  auto& judgement = chosen(x);
  auto* found = judgement.verdict();
  auto right = found != nullptr && (found->correct() || found->outcome == outcome::unstable);
  auto timed = right && found->timing;
  return {{"sample_id", x.name.sample.value_or(0)},
          {"compiled", found != nullptr && compiled(*found)},
          {"correctness", right},
          {"metadata", metadata(judgement, hardware, device)},
          {"runtime", timed ? rounded(found->timing->candidate * 1e3) : -1.0},
          {"runtime_stats",
           timed ? statistics(judgement.runs.front().seconds, hardware, device) : json::object{}}};
}

} // namespace

caf::error number_samples(std::vector<row>& rows) {
  std::map<std::int32_t, std::map<std::int32_t, std::string>> taken; // problem, sample, candidate
  std::map<std::int32_t, std::string> levels;
  for (auto& x : rows) {
    if (!x.name.problem)
      return make_error(errc::user_error,
                        fmt::format("{} has no problem number, which KernelBench's results need; "
                                    "begin its name with one, as in 3_{}.py",
                                    x.task, problem_name(x.name).stem));
    if (x.name.level)
      levels.emplace(*x.name.level, x.task);
    if (!x.name.sample)
      continue;
    auto [i, added] = taken[*x.name.problem].emplace(*x.name.sample, x.candidate);
    if (!added)
      return make_error(errc::user_error,
                        fmt::format("{} and {} are both sample {} of problem {}", i->second,
                                    x.candidate, *x.name.sample, *x.name.problem));
  }
  if (levels.size() > 1)
    return make_error(errc::user_error,
                      fmt::format("KernelBench's results are for one level, and these tasks are of "
                                  "level {} ({}) and level {} ({})",
                                  levels.begin()->first, levels.begin()->second,
                                  levels.rbegin()->first, levels.rbegin()->second));
  for (auto& x : rows) {
    if (x.name.sample)
      continue;
    auto& samples = taken[*x.name.problem];
    std::int32_t next = 0;
    while (samples.contains(next))
      ++next;
    samples.emplace(next, x.candidate);
    x.name.sample = next;
  }
  return {};
}

std::string kernelbench_results(const std::vector<row>& rows, const std::string& hardware,
                                const std::string& device) {
  std::map<std::int32_t, std::map<std::int32_t, const row*>> problems;
  for (auto& x : rows)
    problems[x.name.problem.value_or(0)][x.name.sample.value_or(0)] = &x;
  json::object result;
  for (auto& [problem, samples] : problems) {
    json::array list;
    for (auto& [number, x] : samples)
      list.push_back(sample(*x, hardware, device));
    result[std::to_string(problem)] = std::move(list);
  }
  return json::serialize(result);
}

} // namespace lathe::judging

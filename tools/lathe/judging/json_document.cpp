#include "tools/lathe/judging/json_document.hpp"

#include "tools/lathe/judging/repetition.hpp"

#include <boost/json.hpp>

#include <set>

namespace lathe::judging {

namespace {

namespace json = boost::json;

json::object json_of(const verdict& x) {
  json::object result{{"outcome", to_string(x.outcome)},
                      {"rule", x.rule},
                      {"evidence", x.evidence},
                      {"sandbox_missing", x.sandbox}};
  if (x.timing)
    result["timing"] = {
      {"reference_ms", x.timing->reference * 1e3},
      {"candidate_ms", x.timing->candidate * 1e3},
      {"speedup", x.timing->speedup},
      {"low", x.timing->low},
      {"high", x.timing->high},
      {"tie", x.timing->tie()},
      {"samples", x.timing->samples},
      {"floor_ms", x.timing->floor > 0 ? json::value(x.timing->floor * 1e3) : json::value(nullptr)},
      {"throttled", x.timing->throttled}};
  if (x.correctness)
    result["correctness"] = {{"policy", x.correctness->policy},
                             {"precision_class", x.correctness->precision_class},
                             {"error_ratio", x.correctness->error_ratio},
                             {"input_draws", x.correctness->input_draws},
                             {"weight_draws", x.correctness->weight_draws}};
  if (x.work)
    result["work"] = {{"kernels", x.work->kernels},
                      {"own", x.work->own},
                      {"library", x.work->library},
                      {"framework", x.work->framework},
                      {"graphs", x.work->graphs}};
  if (x.folds)
    result["folds"] = *x.folds;
  if (!x.profile.empty())
    result["profile"] = x.profile;
  json::array stages;
  for (auto& stage : x.stages)
    stages.push_back(
      {{"stage", stage.stage}, {"wall", stage.wall}, {"cpu", stage.cpu}, {"queued", stage.queued}});
  result["stages"] = std::move(stages);
  return result;
}

json::object json_of(const repetition& x) {
  return {{"verdicts", x.verdicts},           {"agree", x.agree},
          {"said", json::value_from(x.said)}, {"timed", x.timed},
          {"medians_spread", x.medians},      {"speedups_spread", x.speedups}};
}

json::object json_of(const judgement& x) {
  json::object result;
  if (auto* found = x.verdict())
    result = json_of(*found);
  else
    result["problem"] = describe(x.problem);
  result["judge"] = x.judge;
  result["rules"] = x.rules;
  result["degenerate"] = x.degenerate;
  if (!x.baselines.empty()) {
    json::object milliseconds;
    for (auto& y : x.baselines)
      milliseconds[y.name] = y.seconds * 1e3;
    result["baselines_ms"] = std::move(milliseconds);
  }
  if (auto repeated = compare_runs(x)) {
    result["repetition"] = json_of(*repeated);
    json::array runs;
    for (auto& run : x.runs)
      runs.push_back(json_of(run.verdict));
    result["runs"] = std::move(runs);
  }
  return result;
}

json::value number(const std::optional<std::int32_t>& x) {
  return x ? json::value(*x) : json::value(nullptr);
}

json::object json_of(const row& x) {
  // The first judge's verdict is the row's own.
  auto result = json_of(x.judgements.front());
  result["candidate"] = x.candidate;
  result["task"] = x.task;
  result["level"] = number(x.name.level);
  result["problem_id"] = number(x.name.problem);
  result["sample_id"] = number(x.name.sample);
  json::array others;
  for (std::size_t i = 1; i < x.judgements.size(); ++i)
    others.push_back(json_of(x.judgements[i]));
  if (!others.empty()) {
    result["other_judges"] = std::move(others);
    result["disagreements"] = json::value_from(x.disagreements);
  }
  return result;
}

json::object json_of(const summary& x) {
  json::object outcomes;
  for (auto& [what, count] : x.outcomes)
    outcomes[to_string(what)] = count;
  json::object result{{"outcomes", std::move(outcomes)},
                      {"degenerate", x.degenerate},
                      {"unjudged", x.unjudged},
                      {"idle_tasks", x.idle_tasks}};
  if (x.speedup)
    result["geomean_speedup"] = {{"value", x.speedup->value},
                                 {"low", x.speedup->low},
                                 {"high", x.speedup->high},
                                 {"count", x.speedup->count}};
  for (auto& share : x.fast)
    result["fast_" + std::to_string(static_cast<int>(share.p))] = {
      {"sure", share.sure}, {"ties", share.ties}, {"of", share.of}};
  return result;
}

} // namespace

std::string json_document(const std::vector<row>& rows, const environment& where,
                          const unjudged_files& others) {
  json::object result{{"device", where.device}, {"software", where.software}};
  std::set<std::string> tasks;
  for (auto& row : rows)
    tasks.insert(row.task);
  if (tasks.size() == 1) {
    auto& first = rows.front().judgements.front();
    result["task"] = *tasks.begin();
    result["judge"] = first.rules;
    result["degenerate"] = first.degenerate;
  }
  json::array verdicts;
  for (auto& row : rows)
    verdicts.push_back(json_of(row));
  result["verdicts"] = std::move(verdicts);
  result["tasks_without_candidate"] = json::value_from(others.idle_tasks);
  result["candidates_without_task"] = json::value_from(others.idle_candidates);
  result["interrupted"] = json::value_from(others.interrupted);
  if (!rows.empty()) {
    json::object summaries;
    for (std::size_t i = 0; i < rows.front().judgements.size(); ++i)
      summaries[rows.front().judgements[i].judge] = json_of(summarise(rows, i, others.idle_tasks.size()));
    result["summary"] = std::move(summaries);
  }
  return json::serialize(result);
}

} // namespace lathe::judging

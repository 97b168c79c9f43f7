#include "gpu/evaluation.hpp"
#include "gpu/screen.hpp"
#include "messages/error.hpp"
#include "runtime/report.hpp"
#include "runtime/task_file.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe eval my_model.py my_kernel.py
  lathe eval configs/tasks/mlp.py configs/solutions/mlp.py --json

A candidate runs in a sandbox, sees only inputs, and is timed against the reference in alternating
blocks. Exit code 0 when every candidate is correct, 1 when one is not.)";

struct eval_arguments {
  std::string task;
  std::vector<std::string> candidates;
  evaluator_config config;
  bool json = false;
};

/// Grants everything: this command evaluates one candidate after the other.
class free_leases : public gpu::lease_source {
public:
  caf::expected<lease> acquire(lease_kind kind, std::int32_t) override {
    return lease{++last_, kind};
  }

  void release(const lease&) override {
    // nop
  }

private:
  std::uint64_t last_ = 0;
};

caf::expected<std::string> read_candidate(const std::string& file) {
  if (!std::filesystem::is_regular_file(file))
    return make_error(errc::user_error, fmt::format("{}: there is no such file", file));
  // One byte more than allowed is enough to say that it is too large.
  std::ifstream in{file, std::ios::binary};
  std::string text(gpu::max_candidate_size + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

boost::json::object json_of(const std::string& file, const verdict& x) {
  boost::json::object result{{"candidate", file},
                             {"outcome", to_string(x.outcome)},
                             {"rule", x.rule},
                             {"evidence", x.evidence},
                             {"sandbox_missing", x.sandbox}};
  if (x.timing)
    result["timing"] = {{"reference_ms", x.timing->reference * 1e3},
                        {"candidate_ms", x.timing->candidate * 1e3},
                        {"speedup", x.timing->speedup},
                        {"low", x.timing->low},
                        {"high", x.timing->high},
                        {"tie", x.timing->tie()},
                        {"samples", x.timing->samples}};
  if (x.correctness)
    result["correctness"] = {{"policy", x.correctness->policy},
                             {"precision_class", x.correctness->precision_class},
                             {"error_ratio", x.correctness->error_ratio},
                             {"input_draws", x.correctness->input_draws},
                             {"weight_draws", x.correctness->weight_draws}};
  boost::json::array stages;
  for (auto& stage : x.stages)
    stages.push_back({{"stage", stage.stage},
                      {"wall", stage.wall},
                      {"cpu", stage.cpu},
                      {"queued", stage.queued}});
  result["stages"] = std::move(stages);
  return result;
}

void print(const std::string& file, const verdict& x) {
  if (x.correct() && x.timing) {
    fmt::print("{:<12}  {}  {} -> {}  {}\n", "correct", runtime::format_speedup(*x.timing),
               runtime::format_ms(x.timing->reference), runtime::format_ms(x.timing->candidate),
               file);
    fmt::print("{:<12}  {} class · {} input draws, {} weight draws, worst error {:.2g}x eager's\n",
               "", x.correctness->precision_class, x.correctness->input_draws,
               x.correctness->weight_draws, x.correctness->error_ratio);
    return;
  }
  auto what = x.rule.empty() ? to_string(x.outcome) : to_string(x.outcome) + " (" + x.rule + ")";
  auto evidence = x.evidence;
  for (std::size_t at = 0; (at = evidence.find('\n', at)) != std::string::npos; at += 15)
    evidence.replace(at, 1, "\n" + std::string(14, ' '));
  fmt::print("{:<12}  {}\n{:<12}  {}\n", what, file, "", evidence);
}

int evaluate(const eval_arguments& x) {
  auto home = find_installation();
  auto subject = runtime::read_task(x.task);
  if (!subject)
    return fail(subject.error());
  std::vector<std::string> sources;
  for (auto& file : x.candidates) {
    auto source = read_candidate(file);
    if (!source)
      return fail(source.error());
    sources.push_back(std::move(*source));
  }
  auto site = gpu::evaluation_site::open(home.site, x.config);
  if (!site)
    return fail(site.error());
  auto oracle = gpu::task_oracle::prepare(*subject, **site);
  if (!oracle)
    return fail(oracle.error());
  free_leases leases;
  if (auto error = gpu::measure_baselines(**oracle, **site, leases, x.config.baselines))
    return fail(error);
  auto profile = (*oracle)->profile();
  if (!x.json)
    fmt::print("{}: {} · {}\n{}", x.task, profile.where.device, profile.where.judge,
               profile.degenerate.empty() ? "" : "degenerate task: " + profile.degenerate + "\n");
  boost::json::array verdicts;
  bool all_correct = true;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    evaluation_request request{subject->name, i + 1, {x.candidates[i], sources[i], ""}, 0, false};
    auto found = gpu::evaluation{request, **oracle, **site, leases}.run();
    if (!found)
      return fail(found.error());
    all_correct = all_correct && found->correct();
    if (x.json)
      verdicts.push_back(json_of(x.candidates[i], *found));
    else
      print(x.candidates[i], *found);
  }
  if (x.json) {
    boost::json::object document{{"task", x.task},
                                 {"device", profile.where.device},
                                 {"judge", profile.where.judge},
                                 {"degenerate", profile.degenerate},
                                 {"verdicts", std::move(verdicts)}};
    fmt::print("{}\n", boost::json::serialize(document));
  }
  return all_correct ? done : not_better;
}

} // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<eval_arguments>();
  auto* command = app.add_subcommand("eval", "judge candidates: are they correct, and how fast");
  command->footer(footer);
  command->add_option("task", x->task, "the task: a PyTorch model in KernelBench's format")
    ->required()
    ->type_name("TASK");
  command->add_option("candidates", x->candidates, "Python files with a class ModelNew")
    ->required()
    ->type_name("CANDIDATE");
  command->add_option("--device", x->config.device, "auto, cpu, cuda or cuda:N")
    ->capture_default_str();
  command->add_option("--tolerance", x->config.tolerance, "how wrong an answer may be")
    ->check(CLI::IsMember({"fp32", "tf32", "half", "kernelbench", "pike"}))
    ->capture_default_str();
  command->add_option("--mode", x->config.mode, "how the models are switched")
    ->check(CLI::IsMember({"eval", "train"}))
    ->capture_default_str();
  command->add_option("--threads", x->config.threads, "torch threads of reference and candidate")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  command->add_option("--time-budget", x->config.time_budget, "seconds of measuring at most")
    ->check(CLI::Range(0.1, 600.0))
    ->capture_default_str();
  command->add_option("--build-limit", x->config.build_limit, "seconds that one build may take")
    ->check(CLI::Range(0.1, 86'400.0))
    ->capture_default_str();
  command->add_option("--run-limit", x->config.run_limit, "seconds that one call may take")
    ->check(CLI::Range(0.1, 86'400.0))
    ->capture_default_str();
  command->add_flag("--require-sandbox", x->config.require_sandbox,
                    "refuse to run where a part of the sandbox is missing");
  command->add_flag("--json", x->json, "one JSON document");
  command->callback([x, &exit_code] { exit_code = evaluate(*x); });
}

} // namespace lathe::cli

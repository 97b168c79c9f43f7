#include "messages/device_name.hpp"
#include "messages/error.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/eval_inputs.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"
#include "tools/lathe/interrupts.hpp"
#include "tools/lathe/judging/batch.hpp"
#include "tools/lathe/judging/html_page.hpp"
#include "tools/lathe/judging/json_document.hpp"
#include "tools/lathe/judging/kernelbench_results.hpp"
#include "tools/lathe/judging/words.hpp"
#include "tools/lathe/output_file.hpp"
#include "tools/lathe/task_audit.hpp"
#include "tools/lathe/verdict_table.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <thread>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe eval my_model.py my_kernel.py
  lathe eval my_model.py 'attempts/*.py' --repeat 5
  lathe eval --tasks KernelBench/level1 --candidates runs/my_run --keep judged --html judged.html
  lathe eval my_model.py my_kernel.py --judge strict,kernelbench,pike
  lathe eval --audit my_model.py

With --tasks and --candidates, a candidate is paired with the task of the same name; else with the
task whose name its own begins with; else by KernelBench's numbers, as in
level_1_problem_3_sample_0_kernel.py, 1_3.py (level, problem), 3.py or 3_anything.py (problem).
The folder of a file (level1) says its level where its name does not.

A candidate runs in a sandbox, sees only inputs, and is timed against the reference in alternating
blocks. Ctrl-C tells what was judged; with --keep the same command goes on from there. Exit code 0
when every candidate is correct, 1 when one is not or was interrupted, 2 for a mistake in what was
given, 3 when something is missing on this machine.)";

struct eval_arguments {
  std::string task;
  std::vector<std::string> its_candidates;
  std::vector<std::string> tasks;
  std::vector<std::string> candidates;
  std::string audited;
  evaluator_config config;
  std::vector<std::string> judges{"strict"};
  std::size_t repeats = 1;
  std::size_t jobs = 0; // 0: as many as cores
  std::string json;     // a file, or "-"
  std::string kernelbench;
  std::string html;
  std::string keep; // a folder
  bool profiles = false;

  bool prints_json() const {
    return json == "-";
  }
};

int worst_of(const std::vector<judging::row>& rows) {
  int result = done;
  for (auto& row : rows)
    for (auto& x : row.judgements)
      if (x.problem)
        result = std::max<int>(result, exit_code_of(x.problem));
  for (auto& row : rows)
    for (auto& run : row.judgements.front().runs)
      if (!row.judgements.front().problem && !run.verdict.correct())
        result = std::max<int>(result, not_better);
  return result;
}

// A problem that keeps everything from being judged is told once, and nothing else is.
const caf::error* problem_of_all(const std::vector<judging::row>& rows) {
  if (rows.empty())
    return nullptr;
  auto& first = rows.front().judgements.front().problem;
  for (auto& row : rows)
    for (auto& x : row.judgements)
      if (!x.problem || describe(x.problem) != describe(first))
        return nullptr;
  return &first;
}

void say_what_is_left_out(const eval_inputs& x) {
  if (x.idle_candidates.empty())
    return;
  constexpr std::size_t most_named = 3;
  auto named = x.idle_candidates;
  named.resize(std::min(named.size(), most_named));
  auto more = x.idle_candidates.size() - named.size();
  fmt::print(stderr, "not judged, since no task fits: {}{}\n", fmt::join(named, ", "),
             more == 0 ? "" : fmt::format(" and {} more", more));
}

caf::error write_results(const eval_arguments& x, const std::vector<judging::row>& rows,
                         const environment& where, const judging::unjudged_files& others) {
  if (!x.json.empty()) {
    auto text = judging::json_document(rows, where, others);
    if (x.prints_json())
      fmt::print("{}\n", text);
    else if (auto error = write_file(x.json, text))
      return error;
  }
  if (!x.html.empty())
    if (auto error = write_file(x.html, judging::html_page(rows, where, others)))
      return error;
  if (x.kernelbench.empty())
    return {};
  auto device = where.device.substr(0, where.device.find(','));
  return write_file(x.kernelbench, judging::kernelbench_results(rows, where.device, device));
}

// Each once, in the order they were named.
std::vector<gpu::judge_rules> judges_for(const eval_arguments& x) {
  std::vector<gpu::judge_rules> result;
  for (auto& name : x.judges)
    if (std::ranges::find(result, name, &gpu::judge_rules::name) == result.end())
      result.push_back(*gpu::find_judge(name, x.config));
  return result;
}

using site_list = std::vector<std::shared_ptr<gpu::evaluation_site>>;

std::size_t usual_workers(const site_list& sites) {
  std::size_t result = 0;
  for (auto& site : sites)
    result += site->usual_workers();
  return result;
}

environment described(const site_list& sites) {
  auto result = sites.front()->describe();
  for (auto& site : sites)
    if (site != sites.front())
      result.device += "; " + site->describe().device;
  return result;
}

// The kinds of devices, each once: which of two alike has judged something does not matter.
environment kinds_of(const site_list& sites) {
  auto result = sites.front()->describe();
  std::set<std::string> kinds;
  for (auto& site : sites)
    kinds.insert(judging::kind_of(site->describe().device));
  result.device = fmt::format("{}", fmt::join(kinds, "; "));
  return result;
}

caf::error look_for_kept(const eval_arguments& x, const site_list& sites, judging::batch& work) {
  auto kept = judging::kept_verdicts::open(x.keep, kinds_of(sites), x.config, x.profiles);
  if (!kept)
    return std::move(kept.error());
  work.kept = std::make_shared<judging::kept_verdicts>(std::move(*kept));
  auto found = judging::count_kept(work);
  auto all = work.entries.size() * work.judges.size() * work.repeats;
  if (found > 0)
    fmt::print(stderr, "{} of {} verdicts are kept in {} and not judged again\n", found, all,
               x.keep);
  return {};
}

// Without a single verdict of one of the judges.
bool is_unjudged(const judging::row& x) {
  return std::ranges::any_of(
    x.judgements, [](const judging::judgement& y) { return y.problem == errc::cancelled; });
}

// Removes the rows of candidates that were not judged, and returns the files of those that were not
// judged as often as was asked.
std::vector<std::string> take_cut_off(std::vector<judging::row>& rows) {
  std::vector<std::string> result;
  for (auto& row : rows)
    if (std::ranges::any_of(row.judgements, &judging::judgement::cut_off))
      result.push_back(row.candidate);
  std::erase_if(rows, is_unjudged);
  return result;
}

// After Ctrl-C whatever is under way ends at once, and what was not judged is a cancelled row.
std::vector<judging::row> judge_until_stopped(const judging::batch& work, const site_list& sites,
                                              const std::function<void(const judging::row&)>& tell,
                                              const std::atomic<std::size_t>& judged,
                                              interrupts& signals) {
  using namespace std::chrono_literals;
  auto all = std::async(std::launch::async, [&] { return judging::judge_all(work, sites, tell); });
  while (all.wait_for(0s) != std::future_status::ready) {
    auto before = signals.count();
    auto now = signals.wait(20ms);
    if (now == before)
      continue;
    if (before > 0) {
      std::fflush(nullptr);
      std::_Exit(not_better);
    }
    auto count = judged.load();
    fmt::print(stderr,
               "stopping: {} of {} candidates {} judged; Ctrl-C again stops without a summary\n",
               count, work.entries.size(), count == 1 ? "is" : "are");
    for (auto& site : sites)
      site->close();
  }
  return all.get();
}

int evaluate(const eval_arguments& x) {
  interrupts signals;
  auto given = x.task.empty() ? read_paired_inputs(x.tasks, x.candidates)
                              : read_inputs(x.task, x.its_candidates);
  if (!given)
    return fail(given.error());
  if (!x.kernelbench.empty())
    if (auto error = number_samples(given->work))
      return fail(error);
  for (auto* file : {&x.json, &x.html, &x.kernelbench})
    if (auto error = check_writable(*file))
      return fail(error);
  say_what_is_left_out(*given);
  auto sites = gpu::evaluation_site::open_all(find_installation().site, x.config);
  if (!sites)
    return fail(sites.error());
  given->work.judges = judges_for(x);
  given->work.repeats = x.repeats;
  given->work.profiles = x.profiles;
  given->work.jobs = x.jobs > 0 ? x.jobs : usual_workers(*sites);
  given->work.warn = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  auto where = described(*sites);
  if (!x.keep.empty())
    if (auto error = look_for_kept(x, *sites, given->work))
      return fail(error);
  verdict_table table{given->work, where};
  std::atomic<std::size_t> judged = 0;
  auto tell = [&](const judging::row& row) {
    if (is_unjudged(row))
      return;
    ++judged;
    if (!x.prints_json())
      table.show(row);
  };
  auto rows = judge_until_stopped(given->work, *sites, tell, judged, signals);
  judging::unjudged_files others{given->idle_tasks, given->idle_candidates, take_cut_off(rows)};
  if (auto* problem = problem_of_all(rows); problem != nullptr)
    return fail(*problem);
  if (!x.prints_json())
    table.finish(rows, given->idle_tasks.size());
  if (auto error = write_results(x, rows, where, others))
    return fail(error);
  return std::max<int>(worst_of(rows), others.interrupted.empty() ? done : not_better);
}

int run(const eval_arguments& x) {
  auto many = !x.tasks.empty() || !x.candidates.empty();
  if (!x.audited.empty()) {
    if (!x.task.empty() || many)
      return fail(user_mistake, "--audit looks at a task alone: name no other files");
    return audit_task(x.audited, x.config, x.prints_json());
  }
  if (many && !x.task.empty())
    return fail(user_mistake, fmt::format("{}: name files as TASK CANDIDATE... or with --tasks and "
                                          "--candidates, not both",
                                          x.task));
  if (x.tasks.empty() != x.candidates.empty())
    return fail(user_mistake, x.tasks.empty() ? "--candidates needs --tasks, too"
                                              : "--tasks needs --candidates, too");
  if (!many && x.its_candidates.empty())
    return fail(user_mistake, x.task.empty()
                                ? "name a task and its candidates: lathe eval TASK CANDIDATE..."
                                : "name candidates, too: lathe eval " + x.task + " CANDIDATE...");
  return evaluate(x);
}

void add_inputs(CLI::App& command, eval_arguments& x) {
  command.add_option("task", x.task, "the task: a PyTorch model in KernelBench's format")
    ->type_name("TASK");
  command
    .add_option("candidates", x.its_candidates,
                "Python files with a class ModelNew, folders of "
                "them, or patterns")
    ->type_name("CANDIDATE");
  command.add_option("--tasks", x.tasks, "many tasks: files, folders or patterns")
    ->type_name("PLACE");
  command
    .add_option("--candidates", x.candidates,
                "candidates for many tasks: files, folders or "
                "patterns; paired by their names, see below")
    ->type_name("PLACE");
  command.add_option("--audit", x.audited, "tell which trivial answers would pass for this task")
    ->type_name("TASK");
}

void add_judging(CLI::App& command, eval_arguments& x) {
  command
    .add_option("--judge", x.judges,
                "whose rules: strict, or kernelbench and pike as "
                "published; several are shown side by side")
    ->delimiter(',')
    ->allow_extra_args(false)
    ->check(CLI::IsMember(gpu::judge_names()))
    ->capture_default_str();
  command.add_option("--device", x.config.device, std::string{device_names})
    ->capture_default_str();
  command.add_option("--tolerance", x.config.tolerance, "strict: how wrong an answer may be")
    ->check(CLI::IsMember({"fp32", "tf32", "half", "kernelbench", "pike"}))
    ->capture_default_str();
  command.add_option("--mode", x.config.mode, "strict: how the models are switched")
    ->check(CLI::IsMember({"eval", "train"}))
    ->capture_default_str();
  command
    .add_option("--forbid", x.config.forbid,
                "strict: refuse what is a matter of taste: graphs, libraries, fallback, folding; "
                "all but folding need a GPU")
    ->delimiter(',')
    ->allow_extra_args(false)
    ->check(CLI::IsMember({"graphs", "libraries", "fallback", "folding"}));
  command
    .add_option(
      "--baselines", x.config.baselines,
      "what else is timed of each task, to compare with: compile, compile:reduce-overhead, "
      "compile:max-autotune; eager always is")
    ->delimiter(',')
    ->allow_extra_args(false)
    ->check(CLI::IsMember({"eager", "compile", "compile:reduce-overhead", "compile:max-autotune"}));
  command
    .add_option("--repeat", x.repeats,
                "judge each candidate so often, each time against a new process "
                "with the reference, and compare the verdicts")
    ->check(CLI::Range(1, 10'000))
    ->capture_default_str();
  command
    .add_option("--jobs", x.jobs,
                "candidates that are judged at once; if not given as many as cores, and with a GPU "
                "four times as many; one a core is built and called for the first time, past that go "
                "as many as find room in the GPU's memory, and timing is always alone on its device")
    ->check(CLI::Range(1, 1'024));
  command.add_option("--threads", x.config.threads, "torch threads of reference and candidate")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  command
    .add_option("--time-budget", x.config.time_budget,
                "seconds of measuring, 0.4 on a GPU and 2 on the CPU if not given; up to three times "
                "as long for short calls on a GPU that wait for the host, and while noise hides "
                "whether answers are cached")
    ->check(CLI::Range(0.1, 600.0));
  command
    .add_option("--build-limit", x.config.build_limit,
                "seconds that one build may take; up to four times as many where a busy host keeps "
                "it from the cores")
    ->check(CLI::Range(0.1, 86'400.0))
    ->capture_default_str();
  command.add_option("--run-limit", x.config.run_limit, "seconds that one call may take, likewise")
    ->check(CLI::Range(0.1, 86'400.0))
    ->capture_default_str();
  command.add_flag("--require-sandbox", x.config.require_sandbox,
                   "refuse to run where a part of the sandbox is missing");
}

void add_outputs(CLI::App& command, eval_arguments& x) {
  command.add_flag("--profile", x.profiles,
                   "say of correct candidates what bounds them: of one in full, of many its name; "
                   "--json has all");
  // A flag with a value behind "=": whatever follows it without one is a file to judge.
  command.add_flag("--json{-}", x.json,
                   "one JSON document on standard output; --json=FILE writes "
                   "it to a file");
  command
    .add_option("--kernelbench", x.kernelbench,
                "write results as KernelBench's "
                "eval_results.json")
    ->type_name("FILE");
  command
    .add_option("--html", x.html,
                "write a page with a table that sorts, intervals and fast_p as pictures")
    ->type_name("FILE");
  command
    .add_option(
      "--keep", x.keep,
      "keep each verdict in this folder as soon as it is there, and do not judge again what "
      "it has of the same files under the same rules: who was interrupted goes on")
    ->type_name("FOLDER");
}

} // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<eval_arguments>();
  auto* command = app.add_subcommand("eval", "judge candidates: are they correct, and how fast");
  command->footer(footer);
  add_inputs(*command, *x);
  add_judging(*command, *x);
  add_outputs(*command, *x);
  command->callback([x, &exit_code] { exit_code = run(*x); });
}

} // namespace lathe::cli

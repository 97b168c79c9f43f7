#include "gpu/bottleneck.hpp"
#include "gpu/evaluation.hpp"
#include "gpu/local_leases.hpp"
#include "gpu/profile_digest.hpp"
#include "gpu/profile_picture.hpp"
#include "gpu/task_preparation.hpp"
#include "messages/device_name.hpp"
#include "messages/error.hpp"
#include "runtime/report.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/eval_inputs.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"
#include "tools/lathe/output_file.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe profile my_model.py
  lathe profile my_model.py my_kernel.py --svg profile.svg

Judges the candidate (without one: the model itself), and says what bounds a call: which kernels
take the time, what they leave of the device's bandwidth and arithmetic, and what is usually tried.
Exit code 1 when the candidate is not correct.)";

struct profile_arguments {
  std::string task;
  std::string candidate;
  evaluator_config config;
  std::string svg; // a file
  bool json = false;
};

struct profiled {
  verdict judged;
  std::optional<gpu::call_profile> profile;
};

caf::expected<profiled> judge(const task& subject, const judging::entry& what, bool takes_model,
                              gpu::evaluation_site& site) {
  gpu::local_leases leases;
  auto oracle = gpu::prepare_oracle(subject, site, leases);
  if (!oracle)
    return std::move(oracle.error());
  if (auto error = gpu::measure_baselines(**oracle, site, leases, {}))
    return error;
  evaluation_request request{subject.name, 1,   candidate{what.candidate, what.source, {}}, 0,
                             false,        true};
  auto rules = (*oracle)->rules();
  rules.takes_model = takes_model;
  gpu::evaluation evaluation{request, rules, [&] { return oracle; }, site, leases};
  auto judged = evaluation.run();
  if (!judged)
    return std::move(judged.error());
  return profiled{std::move(*judged), evaluation.seen_profile()};
}

boost::json::object to_json(const gpu::event_group& group, const gpu::call_profile& x,
                            double busy) {
  auto& e = *group.first;
  boost::json::object result{{"kind", e.kind},
                             {"name", e.name},
                             {"calls", group.calls},
                             {"ms", 1e3 * group.seconds},
                             {"share", group.seconds / busy}};
  if (!e.is_kernel())
    return result;
  auto held = gpu::occupancy_of(e, x.limits);
  result["blocks"] = boost::json::value_from(e.grid);
  result["threads"] = boost::json::value_from(e.block);
  result["waves"] = gpu::waves_of(e, x.limits);
  result["registers"] = e.registers;
  result["shared_bytes"] = e.shared;
  result["local_bytes"] = e.local;
  result["occupancy"] = held.share;
  result["limited_by"] = held.limiter;
  result["tensor_cores"] = gpu::uses_tensor_cores(e, x);
  if (auto code = x.code.find(e.symbol); code != x.code.end()) {
    auto or_null = [](const std::optional<double>& y) {
      return y ? boost::json::value(*y) : boost::json::value(nullptr);
    };
    result["global_efficiency"] = or_null(code->second.efficiency);
    result["shared_conflicts"] = or_null(code->second.conflicts);
  }
  return result;
}

boost::json::object to_json(const profile_arguments& x, const environment& where,
                            const profiled& found) {
  boost::json::object result{{"task", x.task},
                             {"candidate", x.candidate},
                             {"device", where.device},
                             {"outcome", to_string(found.judged.outcome)},
                             {"evidence", found.judged.evidence}};
  if (!found.profile)
    return result;
  auto& profile = *found.profile;
  boost::json::array bounds;
  for (auto& y : gpu::diagnose(profile))
    bounds.push_back({{"bottleneck", to_string(y.what)},
                      {"evidence", y.evidence},
                      {"moves", gpu::usual_moves(y.what, profile.on_gpu())}});
  auto busy = gpu::busy_time(profile);
  boost::json::array kernels;
  for (auto& group : gpu::group_events(profile))
    kernels.push_back(to_json(group, profile, busy));
  for (auto& stage : found.judged.stages)
    if (stage.stage == "profile")
      result["profiling_s"] = stage.wall;
  result["call_ms"] = 1e3 * profile.seconds;
  result["busy_ms"] = 1e3 * busy;
  result["bounds"] = std::move(bounds);
  result["kernels"] = std::move(kernels);
  return result;
}

int show(const profile_arguments& x, const environment& where, const profiled& found) {
  if (x.json)
    fmt::print("{}\n", boost::json::serialize(to_json(x, where, found)));
  else if (!found.judged.correct())
    fmt::print("{}   {}\n", to_string(found.judged.outcome), found.judged.evidence);
  else if (found.profile)
    fmt::print("{}\n{}", where.device, gpu::digest(*found.profile));
  else
    return fail(make_error(errc::evaluator_failed,
                           "the candidate is correct, and what it does could not be recorded"));
  return found.judged.correct() ? done : not_better;
}

int profile(const profile_arguments& x) {
  auto itself = x.candidate.empty(); // is a candidate, too, under the name that it has
  auto given = read_inputs(x.task, {itself ? x.task : x.candidate});
  if (!given)
    return fail(given.error());
  if (auto error = check_writable(x.svg))
    return fail(error);
  auto site = gpu::evaluation_site::open(find_installation().site, x.config);
  if (!site)
    return fail(site.error());
  auto found = judge(given->work.tasks.front(), given->work.entries.front(), itself, **site);
  if (!found)
    return fail(found.error());
  if (found->profile && !x.svg.empty())
    if (auto error =
          write_file(x.svg, gpu::draw_profile(*found->profile, itself ? x.task : x.candidate)))
      return fail(error);
  return show(x, (*site)->describe(), *found);
}

} // namespace

void add_profile(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<profile_arguments>();
  auto* command = app.add_subcommand("profile", "say what bounds a model, or a candidate for it");
  command->footer(footer);
  command->add_option("task", x->task, "the task: a PyTorch model in KernelBench's format")
    ->type_name("TASK")
    ->required();
  command->add_option("candidate", x->candidate, "a Python file with a class ModelNew")
    ->type_name("CANDIDATE");
  command->add_option("--device", x->config.device, std::string{device_names})
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
  command->add_flag("--json", x->json, "one JSON document");
  command->add_option("--svg", x->svg, "draw what ran when, and the roofline")->type_name("FILE");
  command->callback([x, &exit_code] { exit_code = profile(*x); });
}

} // namespace lathe::cli

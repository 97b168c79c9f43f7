#include "llm_clients/cassette.hpp"
#include "llm_clients/provider_factory.hpp"
#include "llm_clients/replay_provider.hpp"
#include "messages/error.hpp"
#include "runtime/control.hpp"
#include "runtime/journal/atomic_file.hpp"
#include "runtime/report.hpp"
#include "runtime/run.hpp"
#include "runtime/suspension.hpp"
#include "runtime/task_file.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"
#include "tools/lathe/interrupts.hpp"
#include "tools/lathe/replay_command.hpp"
#include "tools/lathe/run_display.hpp"
#include "tools/lathe/run_log.hpp"
#include "tools/lathe/topology_reading.hpp"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include <unistd.h>

namespace lathe::cli {

namespace fs = std::filesystem;

namespace {

constexpr auto footer = R"(examples:
  lathe run my_model.py
      recipes only: torch.compile modes, folding, CUDA graphs; needs no key and costs nothing
  lathe run my_model.py --tolerance half
      the same, in half precision, too
  lathe run configs/topologies/pike-b.yaml --task configs/tasks/*.py
      a team of agents on several tasks at once; --llm scripted tries it without a key
  lathe run --replay runs/pike-b --name again
      plays that run again, with nothing but its journal, and says whether all came out the same

Ctrl-C once finishes what is paid for and says how to go on; twice stops at once. Either way nothing
that was recorded is lost.)";

struct run_arguments {
  std::vector<std::string> files;
  std::vector<std::string> tasks;
  std::string topology;
  std::string name;
  std::string runs = "runs";
  std::string resume;
  std::string llm;
  std::string record;
  std::string replay;
  std::string replay_by = "question";
  double replay_pace = 0;
  std::string device;
  std::string tolerance;
  bool json = false;
  bool quiet = false;
};

/// Keys of the topology's evaluator that were given as options.
std::map<std::string, std::string> evaluator_keys(const run_arguments& x) {
  std::map<std::string, std::string> result;
  for (auto& [key, value] : {std::pair{"device", x.device}, std::pair{"tolerance", x.tolerance}})
    if (!value.empty())
      result[key] = value;
  return result;
}

bool is_yaml(const std::string& file) {
  auto extension = fs::path{file}.extension();
  return extension == ".yaml" || extension == ".yml";
}

/// Sorts what was given without an option: a topology by its extension, anything else is a task.
caf::error sort_files(run_arguments& x) {
  for (auto& file : x.files) {
    if (!is_yaml(file)) {
      x.tasks.push_back(file);
      continue;
    }
    if (!x.topology.empty())
      return make_error(errc::user_error, fmt::format("{} and {}: a run has one topology",
                                                      x.topology, file));
    x.topology = file;
  }
  return {};
}

std::string today() {
  return fmt::format("{:%Y%m%d-%H%M%S}", fmt::localtime(std::time(nullptr)));
}

caf::expected<runtime::run_directory> make_directory(const run_arguments& x,
                                                     const topology& plan) {
  if (!x.name.empty())
    return runtime::run_directory::create(x.runs, x.name);
  return runtime::run_directory::create_fresh(x.runs, plan.name, today());
}

/// Finds wrong addresses and missing answers before anything is spent.
caf::error check_models(const topology& plan) {
  for (const auto& name : runtime::asked_models(plan))
    if (auto error = llm_clients::check_model(*plan.model(name)))
      return error;
  return {};
}

/// Returns who answers questions: the models' own providers, recorded if that was asked for, or a
/// recording.
caf::expected<llm_clients::provider_factory> providers_for(const run_arguments& x,
                                                           const topology& plan) {
  if (!x.replay.empty()) {
    auto recording = llm_clients::load_cassette(x.replay);
    if (!recording)
      return std::move(recording.error());
    auto by =
      x.replay_by == "order" ? llm_clients::replay_by::order : llm_clients::replay_by::question;
    return llm_clients::replaying_providers(
      std::make_shared<llm_clients::playback>(std::move(*recording), by), x.replay_pace);
  }
  auto own = llm_clients::standard_providers();
  if (x.record.empty())
    return own;
  std::vector<llm_clients::secret> keys;
  for (const auto& model : plan.models)
    keys.emplace_back(model.api_key);
  auto writer = llm_clients::cassette_writer::open(x.record, std::move(keys));
  if (!writer)
    return std::move(writer.error());
  return llm_clients::recording_providers(std::move(own), std::move(*writer));
}

/// Finds what is wrong with models before anything is spent, and chooses who answers for them.
caf::error prepare_models(const run_arguments& x, const topology& plan,
                          runtime::run_options& options) {
  if (x.replay.empty())
    if (auto error = check_models(plan))
      return error;
  auto providers = providers_for(x, plan);
  if (!providers)
    return std::move(providers.error());
  options.providers = std::move(*providers);
  return {};
}

/// Answers what `lathe apply` and `lathe stop` ask.
std::string answer_control(runtime::run& work, const runtime::run_paths& paths,
                           const installation& home, const run_arguments& x,
                           const std::string& request) {
  auto space = request.find(' ');
  auto verb = request.substr(0, space);
  if (verb == "stop") {
    ::kill(::getpid(), SIGINT); // as if it came from the keyboard
    return "ok";
  }
  if ((verb != "apply" && verb != "check") || space == std::string::npos)
    return "error this run does not know that request";
  runtime::read_options options;
  options.configs = home.configs;
  options.passes = recipe_passes(home);
  options.llm_override = x.llm;
  options.evaluator = evaluator_keys(x);
  auto reading = runtime::read_topology(request.substr(space + 1), options);
  auto flat = [](std::string text) {
    while (text.ends_with('\n'))
      text.pop_back();
    std::replace(text.begin(), text.end(), '\n', '\t');
    return text;
  };
  if (!reading.ok())
    return "error " + flat(runtime::to_string(reading.mistakes));
  auto changes = work.apply(reading.value, verb == "check");
  if (!changes)
    return "error " + flat(describe(changes.error()));
  if (verb == "apply") { // what a resumed run starts from
    auto written = runtime::write_atomically(paths.topology(), reading.text);
    if (!written)
      return "error " + flat(describe(written.error()));
  }
  return fmt::format("ok {}", fmt::join(*changes, "\t"));
}

/// Waits for the end of the run, or for Ctrl-C. Returns true when the run is over.
bool watch(runtime::run& work, run_display& display, interrupts& signals) {
  std::thread stopper;
  std::atomic<bool> stopped = false;
  auto last_draw = -1.0;
  while (!work.wait(std::chrono::milliseconds{0}) && !stopped) {
    auto before = signals.count();
    auto now = signals.wait(std::chrono::milliseconds{100});
    if (now > before && now == 1) {
      display.say("stopping: waiting for what is paid for; Ctrl-C again stops at once");
      stopper = std::thread{[&] {
        work.stop();
        stopped = true;
      }};
    } else if (now > before) {
      display.say("stopped at once; nothing that was recorded is lost");
      std::fflush(nullptr);
      std::_Exit(not_better);
    }
    if (work.elapsed() - last_draw > 0.25) {
      last_draw = work.elapsed();
      display.redraw(work);
    }
  }
  if (stopper.joinable())
    stopper.join();
  return !stopped;
}

int exit_code_of(const std::vector<runtime::session_result>& results) {
  bool failed = false;
  bool won = false;
  for (auto& x : results) {
    failed = failed || x.status.state == "failed";
    auto* best = x.best_row();
    won = won || (best != nullptr && best->verdict.wins());
  }
  if (failed)
    return user_mistake;
  return won ? done : not_better;
}

int report(runtime::run& work, const runtime::run_paths& paths, const run_arguments& x, bool over) {
  auto results = work.results();
  auto name = paths.root.filename().string();
  auto devices = work.devices();
  auto accounts = work.spending();
  auto text = runtime::format_report(name, work.plan().name, results, devices, accounts);
  auto written = runtime::write_atomically(paths.report(), text);
  if (x.json) {
    fmt::print("{}\n", runtime::format_json(name, results, devices, accounts));
  } else {
    for (auto& result : results)
      fmt::print("{}", runtime::format_result(result, paths.best(result.status.name).string()));
    fmt::print("\n{}journal {}\n",
               written ? fmt::format("report {} · ", paths.report().string()) : "",
               paths.journal().string());
    fmt::print("{}: lathe {} {}\n", over ? "inspect" : "go on",
               over ? "status" : "run --resume", paths.root.string());
  }
  if (!written)
    return fail(environment_lacks,
                fmt::format("{}; when that is mended, write it with: lathe run --resume {}",
                            describe(written.error()), paths.root.string()));
  if (auto why = runtime::describe_suspension(results, work.plan(), paths); over && !why.empty())
    return fail(suspended, why);
  return exit_code_of(results);
}

std::string name_a_task(const run_arguments& x) {
  std::error_code none;
  if (!x.replay.empty() && !fs::exists(x.replay, none))
    return fmt::format("{} is not there: --replay takes a recording or the folder of a run",
                       x.replay);
  return "name a task: lathe run my_model.py (see lathe run --help)";
}

int replay_run(const run_arguments& x) {
  if (!x.tasks.empty() || !x.topology.empty() || !evaluator_keys(x).empty() || !x.resume.empty()
      || x.replay_by != "question" || x.replay_pace != 0)
    return fail(user_mistake, fmt::format("{} is the folder of a run, which is replayed whole and "
                                          "at once: it has its tasks, topology, device, tolerance "
                                          "and order in its journal; name no others",
                                          x.replay));
  return replay_whole_run({x.replay, x.runs, x.name, x.json, x.quiet});
}

int run_tasks(run_arguments x) {
  if (auto error = sort_files(x))
    return fail(error);
  std::error_code none;
  if (!x.replay.empty() && fs::is_directory(x.replay, none))
    return replay_run(x);
  interrupts signals;
  auto home = find_installation();
  runtime::run_options options;
  std::optional<runtime::run_directory> directory;
  if (!x.replay.empty())
    x.llm = "replay";
  if (!x.resume.empty() && x.replay_by == "order")
    return fail(user_mistake, "--replay-by order begins with the first answer, which a run that is "
                              "taken up has had: use --replay-by question");
  if (!x.resume.empty()) {
    if (!x.tasks.empty() || !x.topology.empty() || !evaluator_keys(x).empty())
      return fail(user_mistake,
                  "--resume takes tasks, topology, device and tolerance from the run's "
                  "folder; name no others");
    auto reopened = runtime::run_directory::reopen(x.resume);
    if (!reopened)
      return fail(reopened.error());
    auto reading = read_topology_or_explain(reopened->paths().topology(), home, x.llm);
    if (!reading)
      return user_mistake;
    if (auto error = prepare_models(x, reading->value, options))
      return fail(error);
    options.plan = std::move(reading->value);
    directory = std::move(*reopened);
  } else {
    if (x.tasks.empty())
      return fail(user_mistake, name_a_task(x));
    auto file = x.topology.empty() ? home.configs / "topologies/recipes.yaml" : fs::path{x.topology};
    auto reading = read_topology_or_explain(file, home, x.llm, evaluator_keys(x));
    auto tasks = runtime::read_tasks({x.tasks.begin(), x.tasks.end()});
    if (!tasks)
      return fail(tasks.error());
    if (!reading)
      return user_mistake;
    if (auto error = prepare_models(x, reading->value, options))
      return fail(error);
    auto made = make_directory(x, reading->value);
    if (!made)
      return fail(made.error());
    auto written = runtime::write_atomically(made->paths().topology(), reading->text);
    if (!written)
      return fail(written.error());
    options.plan = std::move(reading->value);
    options.tasks = std::move(*tasks);
    directory = std::move(*made);
  }
  auto paths = directory->paths();
  log_to(paths.log());
  run_display display{x.quiet, x.json};
  options.paths = home.site;
  options.seed = std::random_device{}();
  options.tell = [&](const std::string& line) { display.tell(line); };
  options.warn = [&](const std::string& line) { display.warn(line); };
  auto work = runtime::run::start(std::move(*directory), std::move(options));
  if (!work)
    return fail(work.error());
  auto control = runtime::control_server::open(paths.root, [&](const std::string& request) {
    return answer_control(**work, paths, home, x, request);
  });
  if (!control)
    return fail(control.error());
  bool over = watch(**work, display, signals);
  control->reset();
  display.finish(**work);
  if (auto failure = (*work)->failure())
    return fail(*failure);
  return report(**work, paths, x, over);
}

} // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<run_arguments>();
  auto* command = app.add_subcommand("run", "work on one or more tasks until budget or ideas are used up");
  command->footer(footer);
  command->add_option("files", x->files, "a topology (.yaml) and tasks (.py)")->type_name("FILE");
  command->add_option("-t,--task,--tasks", x->tasks, "tasks: PyTorch models in KernelBench's format")
    ->type_name("FILE");
  command->add_option("--topology", x->topology, "agents, models, routes, search and budget; without one: recipes alone")
    ->type_name("FILE");
  command->add_option(
    "--device", x->device,
    "auto, cpu, cuda, cuda:N, cuda:N,M,... or cuda:all; counts more than the topology's");
  command
    ->add_option("--tolerance", x->tolerance,
                 "how wrong an answer may be, and so which recipes are tried; counts more than the "
                 "topology's")
    ->check(CLI::IsMember({"fp32", "tf32", "half", "kernelbench", "pike"}));
  command->add_option("--name", x->name, "the run's folder within --runs; made up when left out");
  command->add_option("--runs", x->runs, "where runs are kept")->capture_default_str();
  command->add_option("--resume", x->resume, "go on with a run that was stopped or killed")
    ->type_name("RUN");
  auto* llm = command
                ->add_option("--llm", x->llm,
                             "'scripted' answers every model from configs/demo: no key, no cost")
                ->check(CLI::IsMember({"scripted"}));
  auto* record = command
                   ->add_option("--record", x->record,
                                "write each question to a model, and its answer, to a file as "
                                "well; goes on where that ends")
                   ->type_name("FILE");
  auto* replay =
    command
      ->add_option(
        "--replay", x->replay,
        "answer every model from such a file: no key, no cost; or play a whole run again "
        "from its journal, and compare: no server, torch or GPU either")
      ->type_name("FILE|RUN")
      ->excludes(llm)
      ->excludes(record);
  command
    ->add_option("--replay-by", x->replay_by,
                 "'question' answers what was asked word for word, times that were measured "
                 "included; 'order' whatever is asked, in turn")
    ->check(CLI::IsMember({"question", "order"}))
    ->needs(replay)
    ->capture_default_str();
  command
    ->add_option("--replay-pace", x->replay_pace,
                 "how long answers of such a file take: 0 no time, 1 as long as they took when "
                 "they were recorded, 2 twice as long")
    ->type_name("X")
    ->check(CLI::Range(0.0, 1000.0))
    ->needs(replay)
    ->capture_default_str();
  command->add_flag("--json", x->json, "the result as one JSON document on standard output");
  command->add_flag("-q,--quiet", x->quiet, "no progress, only the result");
  command->callback([x, &exit_code] { exit_code = run_tasks(*x); });
}

} // namespace lathe::cli

#include "runtime/report.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"
#include "tools/lathe/judging/noise.hpp"
#include "tools/lathe/judging/text_table.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe bench-noise
  lathe bench-noise --seconds 120 --threads 4

Judges unchanged models as their own candidates. A quiet host finds only ties; what it finds else
is how large a speed-up has to be to mean something.)";

struct noise_arguments {
  evaluator_config config;
  double seconds = 20;
  bool json = false;
};

std::string percent(double share) {
  return fmt::format("{:.2g} %", share * 100);
}

void print(const std::vector<judging::noise_figures>& found) {
  judging::text_table table{{{"model", 12},
                             {"one call", 8},
                             {"verdicts"},
                             {"ties"},
                             {"wins"},
                             {"losses"},
                             {"medians within"},
                             {"widest interval"},
                             {"farthest from 1"}},
                            0};
  fmt::print("{}\n", table.header());
  for (auto& x : found)
    fmt::print(
      "{}\n",
      table.line({x.program, runtime::format_ms(x.reference), std::to_string(x.verdicts),
                  std::to_string(x.ties), std::to_string(x.wins), std::to_string(x.losses),
                  percent(x.medians), "±" + percent(x.widest_interval), percent(x.farthest)}));
  fmt::print("\n{}\n", judging::advice(found));
}

void print_json(const std::vector<judging::noise_figures>& found, const environment& where) {
  boost::json::array models;
  for (auto& x : found)
    models.push_back({{"model", x.program},
                      {"reference_ms", x.reference * 1e3},
                      {"verdicts", x.verdicts},
                      {"untimed", x.untimed},
                      {"ties", x.ties},
                      {"wins", x.wins},
                      {"losses", x.losses},
                      {"medians_spread", x.medians},
                      {"widest_interval", x.widest_interval},
                      {"farthest", x.farthest}});
  boost::json::object document{
    {"device", where.device}, {"models", std::move(models)}, {"advice", judging::advice(found)}};
  fmt::print("{}\n", boost::json::serialize(document));
}

int measure(const noise_arguments& x) {
  auto site = gpu::evaluation_site::open(find_installation().site, x.config);
  if (!site)
    return fail(site.error());
  auto where = (*site)->describe();
  if (!x.json)
    fmt::print("{} · unchanged models as their own candidates, {:g} s\n", where.device, x.seconds);
  auto count = static_cast<double>(judging::noise_programs().size());
  auto found = judging::measure_noise(**site, x.seconds / count);
  if (!found)
    return fail(found.error());
  x.json ? print_json(*found, where) : print(*found);
  return done;
}

} // namespace

void add_noise(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<noise_arguments>();
  x->config.time_budget = 1;
  auto* command = app.add_subcommand("bench-noise", "measure this machine's own noise: how large a "
                                                    "speed-up has to be to mean something");
  command->footer(footer);
  command->add_option("--seconds", x->seconds, "how long to measure, about")
    ->check(CLI::Range(0.1, 86'400.0))
    ->capture_default_str();
  command->add_option("--time-budget", x->config.time_budget, "seconds for one verdict at most")
    ->check(CLI::Range(0.1, 600.0))
    ->capture_default_str();
  command->add_option("--threads", x->config.threads, "torch threads of reference and candidate")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  command->add_flag("--json", x->json, "one JSON document");
  command->callback([x, &exit_code] { exit_code = measure(*x); });
}

} // namespace lathe::cli

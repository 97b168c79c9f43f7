#include "gpu/local_leases.hpp"
#include "gpu/measured_peaks.hpp"
#include "messages/device_name.hpp"
#include "messages/error.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/doctor/peaks_check.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <memory>

namespace lathe::cli {

namespace {

constexpr auto footer = R"(examples:
  lathe device calibrate
  lathe device calibrate --device cuda:1 --json

Rooflines and profiles are stated against these rates. They are measured when a first task is
prepared, too, and kept: the best that was ever measured counts, since noise only slows down.)";

struct device_arguments {
  evaluator_config config;
  bool json = false;
};

int calibrate(const device_arguments& x) {
  auto site = gpu::evaluation_site::open(find_installation().site, x.config);
  if (!site)
    return fail(site.error());
  gpu::local_leases leases;
  auto peaks = (*site)->peaks().get_again(leases);
  if (!peaks)
    return fail(peaks.error());
  auto device = (*site)->describe().device;
  if (x.json)
    fmt::print("{}\n", boost::json::serialize(
                         boost::json::object{{"device", device}, {"peaks", gpu::to_json(*peaks)}}));
  else
    fmt::print("{}\n{}\n", device, doctor::judge_peaks(*peaks).found);
  return done;
}

} // namespace

void add_device(CLI::App& app, int& exit_code) {
  auto x = std::make_shared<device_arguments>();
  auto* command = app.add_subcommand("device", "what this machine's devices can do");
  command->require_subcommand(1);
  auto* calibration =
    command->add_subcommand("calibrate", "measure the device's bandwidth and arithmetic at best");
  calibration->footer(footer);
  calibration->add_option("--device", x->config.device, std::string{device_names})
    ->capture_default_str();
  calibration->add_option("--threads", x->config.threads, "on a CPU: torch threads")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  calibration->add_flag("--json", x->json, "one JSON document");
  calibration->callback([x, &exit_code] { exit_code = calibrate(*x); });
}

} // namespace lathe::cli

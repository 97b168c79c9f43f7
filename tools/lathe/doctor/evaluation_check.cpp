#include "tools/lathe/doctor/evaluation_check.hpp"

#include "gpu/processes/warm_process.hpp"
#include "messages/error.hpp"
#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

namespace fs = std::filesystem;

namespace lathe::doctor {

namespace {

constexpr auto name = "evaluation processes";

constexpr auto build_again
  = "run lathe setup-env PYTHON, or in a checkout cmake --build --preset release";

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

finding no_sandbox() {
  return warning("sandbox", "could not be tried: the evaluation processes do not start",
                 "see evaluation processes");
}

finding no_files(const std::vector<std::string>& files, const fs::path& folder,
                 const std::string& python_version) {
  return missing(
    name,
    fmt::format("{} {} not in {}", fmt::join(files, ", "), files.size() == 1 ? "is" : "are",
                folder.string()),
    fmt::format("{}; the native module must be built for Python {}", build_again, python_version));
}

std::vector<finding> try_processes(const python_probe& python, const fs::path& folder,
                                   std::chrono::milliseconds limit) {
  auto start = std::chrono::steady_clock::now();
  auto warm = gpu::warm_process::start({python.path, folder, limit});
  if (!warm)
    return {missing(name, last_line(describe(warm.error())), build_again), no_sandbox()};
  auto warm_after = seconds_since(start);
  start = std::chrono::steady_clock::now();
  auto worker = (*warm)->spawn({.role = "probe"});
  if (!worker)
    return {missing(name, last_line(describe(worker.error())),
                    remedy_for_namespaces(look_at_sandbox_rules())),
            no_sandbox()};
  auto found = fmt::format("the warm process starts in {:.1f} s, a worker in {:.0f} ms", warm_after,
                           seconds_since(start) * 1e3);
  return {ok(name, found), judge_sandbox((*worker)->missing(), look_at_sandbox_rules())};
}

} // namespace

std::vector<std::string> missing_process_files(const fs::path& folder,
                                               const std::string& extension_suffix) {
  std::vector<std::string> result;
  for (auto& file :
       {std::string{"zygote.py"}, std::string{"worker.py"}, "lathe_native" + extension_suffix}) {
    std::error_code ignored;
    if (!fs::exists(folder / file, ignored))
      result.push_back(file);
  }
  return result;
}

std::vector<finding> check_evaluation(const python_probe& python, const fs::path& processes,
                                      std::chrono::milliseconds limit) {
  if (python.facts.torch.empty())
    return {missing(name, "not tried: they need Python and torch", "see python and torch"),
            no_sandbox()};
  auto files = missing_process_files(processes, python.facts.extension_suffix);
  if (!files.empty())
    return {no_files(files, processes, python.facts.version), no_sandbox()};
  return try_processes(python, processes, limit);
}

finding check_verifier(const fs::path& verifier, std::chrono::milliseconds limit) {
  auto run = run_program({verifier.string()}, limit);
  if (!run.ok())
    return missing("verifier", fmt::format("{} {}", verifier.string(), describe_failure(run)),
                   build_again);
  return ok("verifier", fmt::format("starts in {:.1f} s", run.seconds));
}

} // namespace lathe::doctor

#include "tools/lathe/doctor/python_check.hpp"

#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <map>

namespace lathe::doctor {

namespace {

constexpr std::string_view prefix = "lathe-doctor ";

constexpr double slow_import = 15; // [seconds]; usual are 1 to 4

// Says first what it knows without torch: importing that may fail, or never end.
constexpr auto probe = R"(
import os, sys, sysconfig, time
def say(key, value):
    print("\nlathe-doctor", key, value, flush=True)
say("python", ".".join(str(part) for part in sys.version_info[:3]))
say("suffix", sysconfig.get_config_var("EXT_SUFFIX"))
say("headers", os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
start = time.monotonic()
import torch
say("import", round(time.monotonic() - start, 3))
say("site", os.path.dirname(os.path.dirname(torch.__file__)))
say("cuda", torch.version.cuda or "")
say("usable", torch.version.cuda is not None and torch.cuda.is_available())
say("torch", torch.__version__)
)";

constexpr auto set_up = "run tools/setup, or set LATHE_PYTHON to a Python that has torch";

} // namespace

python_facts parse_python_facts(std::string_view output) {
  std::map<std::string, std::string, std::less<>> said;
  for (std::string_view rest = output; !rest.empty();) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(prefix))
      continue;
    line.remove_prefix(prefix.size());
    auto key = line.substr(0, line.find(' '));
    said.emplace(key, line.substr(std::min(key.size() + 1, line.size())));
  }
  python_facts result;
  result.version = said["python"];
  result.extension_suffix = said["suffix"];
  result.headers = said["headers"] == "True";
  result.torch = said["torch"];
  result.site = said["site"];
  result.cuda = said["cuda"];
  result.cuda_usable = said["usable"] == "True";
  result.import_seconds = std::strtod(said["import"].c_str(), nullptr);
  return result;
}

python_probe probe_python(const std::filesystem::path& python, std::chrono::milliseconds limit) {
  // The same switches as the evaluation processes: no packages of the user's own.
  auto run = run_program({python.string(), "-s", "-E", "-B", "-c", probe}, limit);
  auto facts = parse_python_facts(run.output);
  return {python, std::move(run), std::move(facts)};
}

finding judge_python(const python_probe& x) {
  if (x.facts.version.empty())
    return missing("python", fmt::format("{} {}", x.path.string(), describe_failure(x.run)),
                   set_up);
  return ok("python", fmt::format("{}, {}", x.facts.version, x.path.string()));
}

finding judge_torch(const python_probe& x, bool gpu) {
  auto& facts = x.facts;
  if (facts.version.empty())
    return missing("torch", "not looked for: there is no Python", "see python");
  if (facts.torch.empty())
    return missing("torch", fmt::format("importing it {}", describe_failure(x.run)), set_up);
  auto found = fmt::format("{}, {}, imported in {:.1f} s", facts.torch,
                           facts.cuda.empty() ? "for the CPU only" : "for CUDA " + facts.cuda,
                           facts.import_seconds);
  if (gpu && facts.cuda.empty())
    return warning("torch", found, "there is a GPU: install a build of torch for CUDA");
  if (facts.import_seconds > slow_import)
    return warning("torch", found,
                   "put the Python environment on a local disk; a busy machine is slow too");
  return ok("torch", found);
}

} // namespace lathe::doctor

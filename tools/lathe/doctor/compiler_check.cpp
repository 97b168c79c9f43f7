#include "tools/lathe/doctor/compiler_check.hpp"

#include "tools/lathe/doctor/program.hpp"
#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <chrono>

namespace lathe::doctor {

namespace {

using namespace std::chrono_literals;

constexpr auto answer_limit = 10s;

std::string describe(const std::string& name, const tool& x) {
  if (x.path.empty())
    return fmt::format("no {}", name);
  if (!x.reachable)
    return fmt::format("{} only as {}, where candidates do not look", name, x.path.string());
  return x.version.empty() ? name : fmt::format("{} {}", name, x.version);
}

} // namespace

tool look_for(const std::string& name, const std::filesystem::path& python) {
  tool result;
  auto path = find_program(name, evaluation_path(python));
  result.reachable = path.has_value();
  if (!path)
    path = find_program(name, user_path());
  if (!path)
    return result;
  result.path = *path;
  result.version = version_in(run_program({path->string(), "--version"}, answer_limit).output);
  return result;
}

finding judge_compiler(const tool& gxx, const tool& ninja, bool python_headers) {
  auto found = fmt::format("{}, {}, {}", describe("g++", gxx), describe("ninja", ninja),
                           python_headers ? "Python.h" : "no Python.h");
  if (!gxx.usable() || !python_headers)
    return warning("compiler", found + ": torch.compile fails on the CPU",
                   "install them: apt-get install g++ ninja-build python3-dev");
  if (!ninja.usable())
    return warning("compiler", found + ": candidates with inline C++ fail",
                   "install it: apt-get install ninja-build");
  return ok("compiler", found);
}

finding judge_cuda_toolkit(const tool& nvcc, bool gpu, const std::string& torch_cuda) {
  auto found = describe("nvcc", nvcc);
  if (!gpu)
    return not_needed("cuda toolkit", found + "; there is no GPU");
  auto wanted = torch_cuda.empty() ? "" : " " + torch_cuda;
  if (!nvcc.usable())
    return warning("cuda toolkit", found + ": candidates with inline CUDA fail",
                   fmt::format("install the CUDA toolkit{} into /usr/local/cuda", wanted));
  if (!torch_cuda.empty() && major_of(nvcc.version) != major_of(torch_cuda))
    return warning(
      "cuda toolkit", fmt::format("{}, but torch was built for CUDA {}", found, torch_cuda),
      fmt::format("install the CUDA toolkit{}: torch refuses another major version", wanted));
  return ok("cuda toolkit", found);
}

finding judge_ccache(const tool& ccache) {
  if (ccache.path.empty())
    return not_needed("ccache", "not there; Lathe builds without it",
                      "for faster builds: apt-get install ccache");
  return ok("ccache", ccache.version.empty() ? ccache.path.string() : ccache.version);
}

} // namespace lathe::doctor

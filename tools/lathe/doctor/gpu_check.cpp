#include "tools/lathe/doctor/gpu_check.hpp"

#include "tools/lathe/doctor/program.hpp"
#include "tools/lathe/doctor/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace fs = std::filesystem;

namespace lathe::doctor {

namespace {

using namespace std::chrono_literals;

constexpr auto answer_limit = 15s; // a driver without persistence needs seconds to wake

std::string describe(const gpu_facts& gpu) {
  if (gpu.cards.empty())
    return fmt::format("driver {}", gpu.driver);
  auto& first = gpu.cards.front();
  auto found =
    fmt::format("{}, {}, driver {}", first.name, format_bytes(first.memory), first.driver);
  if (gpu.cards.size() == 1)
    return found;
  auto same = [&](const gpu_card& x) { return x.name == first.name; };
  auto uniform = std::all_of(gpu.cards.begin(), gpu.cards.end(), same);
  return fmt::format("{} GPUs, {} {}", gpu.cards.size(), uniform ? "each" : "the first", found);
}

std::string driver_of(const gpu_facts& gpu) {
  return gpu.cards.empty() ? gpu.driver : gpu.cards.front().driver;
}

} // namespace

std::vector<gpu_card> parse_cards(std::string_view csv) {
  std::vector<gpu_card> result;
  for (auto& line : lines_of(csv)) {
    auto memory = line.rfind(", ");
    auto driver =
      memory == std::string::npos || memory == 0 ? memory : line.rfind(", ", memory - 1);
    if (driver == std::string::npos || driver == 0)
      continue; // a message, not a row
    auto mebibytes = number_in(line.substr(memory + 2)).value_or(0);
    result.push_back({line.substr(0, driver), line.substr(driver + 2, memory - driver - 2),
                      static_cast<std::uint64_t>(mebibytes) << 20});
  }
  return result;
}

std::string parse_driver_version(std::string_view text) {
  // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 ..."
  auto begin = text.find("NVRM version:");
  if (begin == std::string_view::npos)
    return {};
  text = text.substr(begin);
  return version_in(text.substr(0, text.find('\n')));
}

// NVIDIA's CUDA compatibility guide, table of minor version compatibility.
int oldest_driver(int cuda_major) {
  switch (cuda_major) {
    case 11:
      return 450;
    case 12:
      return 525;
    case 13:
      return 580;
    default:
      return 0;
  }
}

gpu_facts look_for_gpus() {
  gpu_facts result;
  result.driver = parse_driver_version(read_text("/proc/driver/nvidia/version"));
  auto path = find_program("nvidia-smi", user_path());
  if (!path) {
    result.problem = "there is no nvidia-smi";
    return result;
  }
  auto run = run_program({path->string(), "--query-gpu=name,driver_version,memory.total",
                          "--format=csv,noheader,nounits"},
                         answer_limit);
  if (run.ok())
    result.cards = parse_cards(run.output);
  else
    result.problem = "nvidia-smi " + describe_failure(run);
  return result;
}

finding judge_gpu(const gpu_facts& gpu, const python_facts& python) {
  if (!gpu.present())
    return not_needed("gpu", "no NVIDIA driver; Lathe evaluates on the CPU");
  auto found = describe(gpu);
  if (gpu.cards.empty())
    return warning("gpu",
                   fmt::format("{}, but no GPU: {}", found,
                               gpu.problem.empty() ? "nvidia-smi lists none" : gpu.problem),
                   "make the GPU visible here (a container needs --gpus all); until then Lathe "
                   "evaluates on the CPU");
  if (python.cuda.empty() || python.cuda_usable)
    return ok("gpu", found);
  auto needed = oldest_driver(major_of(python.cuda));
  if (major_of(driver_of(gpu)) < needed)
    return warning(
      "gpu", found,
      fmt::format("install driver {} or newer: torch is built for CUDA {}", needed, python.cuda));
  return warning("gpu", found + ", but torch cannot use it",
                 "python -c 'import torch; torch.cuda.init()' says why");
}

fs::path find_cupti(const fs::path& site, const fs::path& toolkit) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  if (!site.empty())
    for (auto& package : fs::directory_iterator{site / "nvidia", ignored})
      folders.push_back(package.path() / "lib");
  for (auto* folder : {"extras/CUPTI/lib64", "lib64", "lib"})
    folders.push_back(toolkit / folder);
  for (auto& folder : folders)
    for (auto& file : fs::directory_iterator{folder, ignored})
      if (file.path().filename().string().starts_with("libcupti.so"))
        return file.path();
  return {};
}

finding judge_cupti(const fs::path& cupti, bool gpu) {
  auto found = cupti.empty() ? std::string{"no libcupti"} : cupti.string();
  if (!gpu)
    return not_needed("cupti", found + "; there is no GPU");
  if (cupti.empty())
    return warning(
      "cupti", found + ": no profiles, and GPU times are not cross-checked",
      "install the CUDA toolkit into /usr/local/cuda, or a torch that brings CUPTI along");
  return ok("cupti", found);
}

} // namespace lathe::doctor

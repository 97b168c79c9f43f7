#pragma once

#include "tools/lathe/doctor/finding.hpp"
#include "tools/lathe/doctor/python_check.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::doctor {

struct gpu_card {
  std::string name;
  std::string driver;
  std::uint64_t memory = 0; ///< [bytes]
};

/// What the driver says.
struct gpu_facts {
  std::vector<gpu_card> cards;
  std::string driver;  ///< version of the kernel module; empty when it is not loaded
  std::string problem; ///< why the cards could not be listed

  /// Whether there is, or should be, a GPU.
  bool present() const {
    return !cards.empty() || !driver.empty();
  }
};

/// Reads lines "name, driver, memory in MiB" as nvidia-smi writes them.
std::vector<gpu_card> parse_cards(std::string_view csv);

/// Reads /proc/driver/nvidia/version.
std::string parse_driver_version(std::string_view text);

/// Returns the first driver that works with this major version of CUDA, 0 where that is not known.
int oldest_driver(int cuda_major);

gpu_facts look_for_gpus();

finding judge_gpu(const gpu_facts& gpu, const python_facts& python);

/// Returns CUPTI's library in torch's own packages or in a CUDA toolkit, or an empty path.
std::filesystem::path find_cupti(const std::filesystem::path& site,
                                 const std::filesystem::path& toolkit = "/usr/local/cuda");

/// @param cupti where the library is; empty: nowhere
finding judge_cupti(const std::filesystem::path& cupti, bool gpu);

} // namespace lathe::doctor

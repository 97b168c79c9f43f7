#pragma once

#include "gpu/processes/channel.hpp"
#include "gpu/processes/worker_process.hpp"

#include <caf/expected.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lathe::gpu {

/// Where the evaluation processes come from.
struct warm_process_config {
  std::filesystem::path python; ///< the interpreter whose torch candidates run with
  std::filesystem::path folder; ///< holds zygote.py and the native module
  std::chrono::milliseconds start_limit = std::chrono::seconds{120}; ///< to import torch, from cold
};

/// What one worker may use.
struct worker_config {
  std::string role = "candidate";        ///< or "oracle"; for messages
  std::uint64_t memory = 8ull << 30;     ///< [bytes] of each process
  std::uint64_t tmp = 2ull << 30;        ///< [bytes] of /tmp, and again of /dev/shm
  std::uint32_t processes = 256;         ///< with all their threads
  std::uint32_t threads = 1;             ///< of torch
  std::vector<int> cpus = {};            ///< to run on; empty: any
  std::string device = "cpu";            ///< of torch: cpu, cuda
  std::string visible_gpu = {};          ///< the one that CUDA shows it, by its UUID
  std::string cuda_arch = {};            ///< what torch compiles extensions for: "9.0a"
  std::vector<std::string> devices = {}; ///< device files that it sees
  std::vector<std::string> preload = {}; ///< Python modules to have imported before forking
};

/// A process with torch imported, from which workers are forked in milliseconds. Started again,
/// once a spawn, when it has died. Safe to use from several threads.
class warm_process {
public:
  /// Starts it and waits until torch is imported.
  static caf::expected<std::unique_ptr<warm_process>> start(warm_process_config config);

  warm_process(const warm_process&) = delete;
  warm_process& operator=(const warm_process&) = delete;

  /// Ends it; its workers die with it.
  ~warm_process();

  caf::expected<std::unique_ptr<worker_process>> spawn(const worker_config& config);

  const std::string& python_version() const {
    return python_version_;
  }

  const std::string& torch_version() const {
    return torch_version_;
  }

  pid_t pid() const {
    return pid_;
  }

private:
  explicit warm_process(warm_process_config config);

  caf::error launch(bool may_try_again = true);
  void end();
  caf::expected<worker_handles> request_worker(const worker_config& config);

  warm_process_config config_;
  std::mutex mutex_; // guards what follows
  std::unique_ptr<channel> requests_;
  unique_fd messages_; // what it writes to standard error
  pid_t pid_ = -1;
  std::uint64_t last_id_ = 0;
  std::string python_version_;
  std::string torch_version_;
};

} // namespace lathe::gpu

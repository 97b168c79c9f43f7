#pragma once

#include "gpu/evaluation_site.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace lathe::gpu {

/// A draw of inputs that is to be made.
struct planned_draw {
  std::int64_t seed = 0;
  std::optional<input_key> key = std::nullopt; ///< that locks the file it comes in
};

/// Returns the request `draw` for it.
boost::json::object request_for(const planned_draw& draw);

/// Draws a task's inputs in processes of its own, some draws ahead of whoever needs them: gigabytes
/// of random numbers take seconds. One thread uses it.
class inputs_ahead {
public:
  /// @param workers have the task loaded; each of them draws
  /// @param plans in the order in which they will be asked for
  /// @param limit for one draw
  inputs_ahead(std::vector<site_worker> workers, std::vector<planned_draw> plans,
               std::chrono::milliseconds limit);

  inputs_ahead(const inputs_ahead&) = delete;
  inputs_ahead& operator=(const inputs_ahead&) = delete;

  /// Ends the processes.
  ~inputs_ahead();

  /// Waits for the next draw: the worker's reply to `draw`. It is not ok where a worker broke; the
  /// draws after it are made by the others.
  reply next();

private:
  void work(worker_process& worker);

  std::vector<site_worker> workers_;
  std::vector<planned_draw> plans_;
  std::chrono::milliseconds limit_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::map<std::size_t, reply> done_; // by index, those that nobody has asked for yet
  std::size_t begun_ = 0;
  std::size_t taken_ = 0;
  std::size_t working_ = 0; // threads
  bool closing_ = false;
  std::vector<std::jthread> threads_;
};

} // namespace lathe::gpu

#pragma once

#include "gpu/claimed_cpus.hpp"
#include "gpu/compiled_code.hpp"
#include "gpu/device.hpp"
#include "gpu/freezer.hpp"
#include "gpu/host_memory.hpp"
#include "gpu/least_seen.hpp"
#include "gpu/measured_peaks.hpp"
#include "gpu/processes/warm_process.hpp"
#include "gpu/respite.hpp"
#include "gpu/room.hpp"
#include "gpu/stall_watch.hpp"
#include "gpu/verifier/verifier_pool.hpp"
#include "messages/topology.hpp"
#include "messages/verdict.hpp"

#include <caf/expected.hpp>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace lathe::gpu {

class task_oracle;

/// Where the parts of an evaluation site are.
struct site_paths {
  std::filesystem::path python;    ///< the interpreter whose torch candidates run with
  std::filesystem::path processes; ///< zygote.py, worker.py and the native module
  std::filesystem::path verifier;  ///< the verifier's executable
  std::filesystem::path recipes;   ///< the folder of recipe passes
  std::filesystem::path cache;     ///< for what outlives a run; empty: nothing does
  /// [bytes] of compiled code in it; 0: none is kept; less: an error
  std::int64_t compiled_limit = 0;
  /// [bytes] of the host's memory that tasks and candidates share; 0: what is free now; less: an
  /// error
  std::int64_t host_memory = 0;
};

/// A worker, and what the site knows it by. Members go in the opposite order: while others may
/// freeze or kill the process, it still exists.
struct site_worker {
  std::unique_ptr<worker_process> process;
  std::shared_ptr<void> listing; ///< takes it off the site's list
  std::unique_ptr<freezer::process> frozen;

  /// Kills the process and waits until it is gone.
  void end() {
    frozen.reset();
    listing.reset();
    process.reset();
  }
};

/// What all evaluations of a run share: the warm process, the verifier, the oracles, the verdicts
/// that are known. Safe to use from several threads.
class evaluation_site {
public:
  /// Starts the warm process and the verifier, for the first device that `config` names. Fails with
  /// `environment_error`.
  static caf::expected<std::unique_ptr<evaluation_site>> open(site_paths paths,
                                                              evaluator_config config);

  /// Opens a site for each device that `config` names: they share the host's cores, and who is timed
  /// on one device has all others of the host frozen but those that are timed on others.
  static caf::expected<std::vector<std::shared_ptr<evaluation_site>>>
  open_all(const site_paths& paths, const evaluator_config& config);

  ~evaluation_site();

  // -- processes --------------------------------------------------------------------------

  /// Makes a worker in a sandbox of its own that is frozen while others are timed. Fails with
  /// `cancelled` once the site is closed.
  /// @param tag names it among those that a `freezer::hold` leaves awake
  caf::expected<site_worker> spawn(const std::string& role, const std::string& tag,
                                   const std::vector<std::string>& preload = {});

  /// The same for one that only compiles, and sees no device.
  caf::expected<site_worker> spawn_builder(const std::string& tag);

  /// The modules of torch.compile, for `spawn`: worth importing once for all who use it.
  std::vector<std::string> compiler() const;

  /// Waits until they are imported, or could not be: whoever then calls `spawn` for them does not
  /// wait for that, holding what others need.
  void prepare_compiling();

  /// Kills all workers and makes no more: evaluations under way end at once, with errors.
  void close();

  bool closed() const;

  verifier::verifier_pool& verifier() {
    return *verifier_;
  }

  gpu::freezer& freezer() {
    return *freezer_;
  }

  /// What processes share on this site. On the CPU, whose memory is the host's, there is any amount
  /// of all but cores. Whoever holds some that others wait for asks for no more.
  gpu::room& room() {
    return *room_;
  }

  /// What another process with a context on the device takes: so much of the device's memory
  /// [bytes], so many cores, and of the host's memory what it does not share with others.
  resources of_process(std::int64_t device, std::int64_t cores) const;

  /// That part of the device's memory which references take while they are timed, beside what they
  /// hold.
  peak_room& timing_memory() {
    return *timing_memory_;
  }

  /// The host's memory for what is drawn for tasks, of all sites. Whoever has a share gives it back
  /// when the task is given up.
  gpu::room& draws() {
    return *draws_;
  }

  /// The host's memory as it is now, at least as much in all as was given.
  gpu::host_memory host_memory() const;

  // -- compiled code --------------------------------------------------------------------------

  /// Whether what compilers make in a worker can be kept.
  bool keeps_compiled(const worker_process& x) const;

  /// Gives a worker what compilers made before of this subject, with compilers and a device like
  /// these.
  /// Returns false when it did not survive that: the next one gets nothing.
  bool give_compiled(worker_process& to, const std::string& subject, author whose);

  /// Gives a worker such an archive. Returns false when it did not survive that.
  static bool give_compiled(worker_process& to, const shared_memory& archive);

  /// Whether there is something to give, to a worker like this, that no candidate had a part in.
  bool has_compiled(const worker_process& to, const std::string& subject) const;

  /// Returns what compilers made in a worker since, as an archive; nothing where they made nothing.
  std::optional<shared_memory> pack_compiled(worker_process& from) const;

  /// Keeps what compilers made in a worker since. What it answers is its own affair: it gets that
  /// back, and nobody else but its kin.
  void keep_compiled(worker_process& from, const std::string& subject, author whose);

  // -- shares ---------------------------------------------------------------------------------

  /// Has a process make its context on the device, which a driver does for one after the other:
  /// whoever is among few is there soon, and can go on. For a GPU alone.
  reply make_context(worker_process& process);

  /// Whether somebody waits to have the device alone; the GPU owner of a run keeps it so.
  const std::shared_ptr<std::atomic<bool>>& wanted_alone() const {
    return wanted_alone_;
  }

  /// In which nobody times on the device.
  const gpu::respite& respite() const {
    return respite_;
  }

  /// Somebody wanted to time, froze everybody else, and found the device at rest.
  void found_at_rest();

  /// The same, and it did not come to rest: the others have a respite. Whoever has waited for his
  /// kernels all the time, over several such finds, is given up: they do not end.
  void found_busy();

  // -- tasks ------------------------------------------------------------------------------

  void add_oracle(const session_id& session, std::shared_ptr<task_oracle> oracle);

  /// Gives up a task. Evaluations under way keep its oracle until they end.
  void remove_oracle(const session_id& session);

  /// Returns the oracle of a prepared task; nullptr when it was not prepared.
  std::shared_ptr<task_oracle> oracle(const session_id& session);

  // -- verdicts ---------------------------------------------------------------------------

  /// Returns the verdict on a text of this task that differs in nothing that matters.
  std::optional<verdict> known(const session_id& session, const std::string& hash);

  void remember(const session_id& session, const std::string& hash, const verdict& x);

  // -- properties -------------------------------------------------------------------------

  const evaluator_config& config() const {
    return config_;
  }

  const site_paths& paths() const {
    return paths_;
  }

  const gpu::device& device() const {
    return device_;
  }

  /// Of the host's cores, this site's share.
  std::size_t cores() const;

  /// Evaluations at once, on this site's device, where nobody says how many.
  std::size_t usual_workers() const;

  /// Where candidates run and how they are judged, in words.
  environment describe() const;

  /// The processors that timed processes are to be bound to now: those that compute fastest, of all
  /// that nobody else on the host times on. For when other evaluation processes are frozen.
  claimed_cpus choose_timing_cpus();

  /// What a probe of such a processor takes where nobody else is [seconds]: the least so far; 0
  /// before the first.
  double calmest_probe() const {
    return calmest_probe_.value();
  }

  /// The processors that it chooses from.
  const std::vector<int>& timing_cpus() const {
    return timing_cpus_;
  }

  /// Bytes to write between calls so that nothing of the last one is left in the cache.
  std::size_t flush_bytes() const {
    return flush_bytes_;
  }

  /// What the device can do at best.
  measured_peaks& peaks() {
    return peaks_;
  }

  /// Returns a fresh seed that nobody can foresee.
  std::int64_t secret_seed();

private:
  /// What the sites of a host have in common.
  struct host {
    std::shared_ptr<gpu::freezer> freezer = std::make_shared<gpu::freezer>();
    std::shared_ptr<compiled_code> compiled;
    std::shared_ptr<gpu::room> draws;
    std::int64_t process_memory = 0; // of all processes [bytes]
    std::size_t sites = 1;
  };

  evaluation_site(site_paths paths, evaluator_config config, gpu::device where, host shared);

  static caf::expected<std::unique_ptr<evaluation_site>>
  open(site_paths paths, evaluator_config config, gpu::device where, host shared);

  /// Where nobody shares it: a host with one site.
  static host host_for(const site_paths& paths);

  std::string name_of_compiled(const std::string& subject) const;

  caf::error claim_device();
  caf::error look_around();
  std::size_t verifiers() const;
  std::int64_t memory_of_verifier_to_keep() const;
  worker_config limits(const std::string& role) const;
  caf::expected<site_worker> spawn(const worker_config& worker, const std::string& tag);
  void make_room(const resources& size);

  caf::expected<warm_process*> warm_for_compiling();

  site_paths paths_;
  evaluator_config config_;
  gpu::device device_;
  unique_fd claim_;       // on the GPU, against other Lathes of this host
  std::string hardware_;  // in words
  std::string cuda_arch_; // "9.0a"; empty on the CPU
  std::string gpu_;       // what kind it is; empty on the CPU
  std::string compiled_with_; // all but the GPU that compiled code depends on
  std::shared_ptr<gpu::freezer> freezer_;
  std::shared_ptr<compiled_code> compiled_;
  std::shared_ptr<gpu::room> draws_;
  std::size_t sites_; // of the host
  std::int64_t spare_memory_ = 0; // of the device [bytes]
  std::int64_t process_memory_; // this site's share of the host's, for processes [bytes]
  std::optional<gpu::room> room_;
  std::optional<peak_room> timing_memory_; // in it
  gpu::room contexts_;
  std::shared_ptr<std::atomic<bool>> wanted_alone_ = std::make_shared<std::atomic<bool>>(false);
  gpu::respite respite_;
  std::unique_ptr<warm_process> warm_;
  std::once_flag compiling_prepared_;
  std::mutex compiling_mutex_;
  std::unique_ptr<warm_process> warm_compiling_; // its workers have modules of torch.compile; made
                                                 // for the first who wants one
  std::unique_ptr<verifier::verifier_pool> verifier_;
  std::vector<int> timing_cpus_; // to choose from
  least_seen calmest_probe_;     // [seconds]
  std::size_t flush_bytes_ = 0;
  measured_peaks peaks_;

  mutable std::mutex mutex_; // guards what follows
  std::random_device entropy_;
  std::map<std::pair<session_id, std::string>, verdict> known_;
  std::vector<std::string> missing_; // parts of the sandbox
  std::map<worker_process*, std::string> live_; // by role
  stall_watch stalls_;
  bool closed_ = false;
  std::map<session_id, std::shared_ptr<task_oracle>> oracles_; // last: they use live_
};

} // namespace lathe::gpu

#include "gpu/evaluation_site.hpp"

#include "gpu/forbidden_work.hpp"
#include "gpu/host_claim.hpp"
#include "gpu/host_memory.hpp"
#include "gpu/processes/process_group.hpp"
#include "gpu/processes/text_file.hpp"
#include "gpu/processor.hpp"
#include "gpu/task_oracle.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <limits>
#include <thread>
#include <unistd.h>

namespace lathe::gpu {

namespace {

// A cache level that the system does not name.
constexpr long usual_cache = 2 << 20;

// Twice the private cache of a core. The shared one is left alone: writing through it takes longer
// than most CPU tasks do, and reference and candidate meet it in the same state.
std::size_t flush_size() {
  auto level2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return 2 * static_cast<std::size_t>(level2 > 0 ? level2 : usual_cache);
}

// A process that moves between cores launches kernels at another speed on each: measured on an H200,
// two processes with the same model differed by up to a third, and by 2 % on one core.
constexpr std::size_t gpu_timing_cpus = 1;

std::size_t count_timing_cpus(bool cuda, const evaluator_config& config) {
  return cuda ? gpu_timing_cpus : static_cast<std::size_t>(config.threads);
}

// The more there are to choose from, the likelier is one whose core no other virtual machine uses:
// on a host with an H200, with four of 16 to choose from, models that launch many kernels took up
// to twice as long in half of all races. The first processors get most interrupts, and are left out
// if they can be.
std::vector<int> cpus_to_time_on(std::size_t least) {
  auto result = allowed_cpus();
  auto spared = std::min((result.size() + 2) / 4, result.size() - std::min(least, result.size()));
  result.erase(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(spared));
  return result;
}

// Of a GPU's memory, what is left for the verifier and for those who take more than was thought.
constexpr double spare_memory = 0.12;

// The driver makes one context after the other, and whoever asks it for memory meanwhile waits with
// them: on an H200 two at once are as fast as sixteen, 0.18 s each.
constexpr std::int64_t contexts_at_once = 2;

// Candidates that are checked and timed at once: while one is timed all others are frozen, and who
// only waits for that holds memory that those could use who compile.
constexpr std::int64_t places_on_gpu = 12;

constexpr auto any_amount = std::numeric_limits<std::int64_t>::max() / 2;

// Evaluations at once, for each core of a host with a GPU: some are built, some tuned, others wait
// for a task to be prepared or for their turn on the device.
constexpr std::size_t workers_a_core = 4;

// Answers that are compared at once. A single verifier kept a GPU with twelve candidates waiting:
// half of its time is a core's, which reads files, and half the device's, which others share. Each
// holds some memory of the device [bytes] that is otherwise spare.
constexpr std::size_t cores_a_verifier = 4;
constexpr std::size_t most_verifiers = 4;
constexpr std::int64_t memory_of_verifier = std::int64_t{2} << 30;

constexpr std::int64_t worker_memory = std::int64_t{8} << 30;
constexpr std::int64_t worker_memory_beside_gpu = std::int64_t{64} << 30;

// Of the host's memory that is there at the beginning. The rest is for compilers, and for processes
// that wait for a task.
constexpr double draws_share = 0.65;
constexpr double processes_share = 0.25;

// Beside what is shared with the process that it was forked from [bytes]: seen were 0.4 GiB with a
// context, and as much again with a compiler.
constexpr std::int64_t memory_of_process = std::int64_t{1} << 30;

// [seconds] A GPU is calm, and a search waits for it; winners are timed again, for longer.
constexpr double gpu_time_budget = 0.4;
constexpr double host_time_budget = 2;

constexpr auto look_limit = std::chrono::seconds{60}; // a first CUDA context, on a cold machine

// Of compiled code, from one worker [bytes], and how long it may take to hand it over.
constexpr std::int64_t most_compiled = 128 << 20;
constexpr auto packing_limit = std::chrono::seconds{20};

// Where workers look for compilers, in this order.
constexpr const char* compiler_folders[] = {"/usr/local/cuda/bin", "/usr/local/bin", "/usr/bin"};

// What a mend of it made otherwise is of no more use.
std::string hash_of_toolchain(const std::filesystem::path& processes) {
  std::string all;
  for (auto* name : {"cuda_parts.py", "extensions.py", "toolchain/compile_extension"})
    all += read_text(processes / name);
  return content_hash(all);
}

std::optional<memory_view> packed_by(worker_process& x) {
  auto packed = x.call({{"op", "pack"}, {"most", most_compiled}}, {}, packing_limit);
  if (!packed.ok() || packed.fds.size() != 1)
    return std::nullopt;
  auto record = shared_memory::view(std::move(packed.fds.front()), most_compiled);
  return record ? std::optional{std::move(*record)} : std::nullopt;
}

// Names the compilers by where they are, how large, and when they were made.
std::string find_compilers() {
  std::string result;
  std::error_code ignored;
  for (auto* name : {"nvcc", "g++"})
    for (std::filesystem::path folder : compiler_folders) {
      auto file = std::filesystem::canonical(folder / name, ignored);
      if (ignored)
        continue;
      auto made = std::filesystem::last_write_time(file, ignored).time_since_epoch().count();
      result +=
        fmt::format("{} {} {}\n", file.string(), std::filesystem::file_size(file, ignored), made);
      break;
    }
  return result;
}

// From Hopper on the instructions that make a generation fast are only in its own dialect.
std::string architecture(std::string capability) {
  constexpr int hopper = 9;
  if (std::atoi(capability.c_str()) >= hopper)
    capability += 'a';
  return capability;
}

} // namespace

caf::expected<std::unique_ptr<evaluation_site>> evaluation_site::open(site_paths paths,
                                                                      evaluator_config config) {
  auto where = find_device(config.device);
  if (!where)
    return std::move(where.error());
  auto shared = host_for(paths);
  return open(std::move(paths), std::move(config), std::move(*where), std::move(shared));
}

caf::expected<std::vector<std::shared_ptr<evaluation_site>>>
evaluation_site::open_all(const site_paths& paths, const evaluator_config& config) {
  auto devices = find_devices(config.device);
  if (!devices)
    return std::move(devices.error());
  host shared = host_for(paths);
  shared.sites = devices->size();
  // Each imports torch, which takes seconds.
  std::vector<std::future<caf::expected<std::unique_ptr<evaluation_site>>>> opening;
  for (auto& where : *devices)
    opening.push_back(std::async(std::launch::async,
                                 [&] { return open(paths, config, std::move(where), shared); }));
  std::vector<std::shared_ptr<evaluation_site>> result;
  for (auto& x : opening) {
    auto site = x.get();
    if (!site)
      return std::move(site.error());
    result.push_back(std::move(*site));
  }
  return result;
}

evaluation_site::host evaluation_site::host_for(const site_paths& paths) {
  host result;
  auto folder = paths.cache.empty() ? paths.cache : paths.cache / "compiled";
  result.compiled = std::make_shared<compiled_code>(folder, paths.compiled_limit);
  auto measured = measure_host_memory();
  auto available = static_cast<double>(
    paths.host_memory > 0 ? static_cast<std::uint64_t>(paths.host_memory) : measured.available);
  auto part = [&](double share) {
    auto is_known = paths.host_memory > 0 || measured.total > 0;
    return is_known ? static_cast<std::int64_t>(available * share) : any_amount;
  };
  result.draws = std::make_shared<gpu::room>(resources{.host = part(draws_share)});
  result.process_memory = part(processes_share);
  return result;
}

caf::expected<std::unique_ptr<evaluation_site>>
evaluation_site::open(site_paths paths, evaluator_config config, gpu::device where, host shared) {
  if (!std::filesystem::exists(paths.processes))
    return make_error(errc::environment_error,
                      "Lathe is not set up for a Python yet: run lathe setup-env PYTHON, with a "
                      "Python that has torch");
  if (paths.compiled_limit < 0)
    return make_error(
      errc::user_error,
      "LATHE_COMPILED_LIMIT is no size: write 4GiB, 500MB, or 0 to keep no compiled "
      "code");
  if (paths.host_memory < 0)
    return make_error(errc::user_error,
                      "LATHE_HOST_MEMORY is no size: write 48GiB, or leave it out "
                      "to let Lathe use what is free");
  if (auto unseen = unseen_on_cpu(config.forbid); !where.cuda && !unseen.empty())
    return make_error(errc::user_error, "forbid: " + unseen);
  std::unique_ptr<evaluation_site> result{new evaluation_site(
    std::move(paths), std::move(config), std::move(where), std::move(shared))};
  if (auto error = result->claim_device())
    return error;
  auto warm = warm_process::start({result->paths_.python, result->paths_.processes});
  if (!warm)
    return std::move(warm.error());
  result->warm_ = std::move(*warm);
  if (auto error = result->look_around())
    return error;
  result->verifier_ = std::make_unique<verifier::verifier_pool>(
    result->paths_.verifier.string(), result->verifiers(), result->device_.visible(),
    result->memory_of_verifier_to_keep());
  if (result->config_.require_sandbox && !result->missing_.empty())
    return make_error(errc::environment_error,
                      fmt::format("this machine does not allow these parts of the sandbox: {}; "
                                  "lathe doctor says more",
                                  fmt::join(result->missing_, ", ")));
  if (result->device_.cuda)
    result->verifier_->start();
  return result;
}

evaluation_site::evaluation_site(site_paths paths, evaluator_config config, gpu::device where,
                                 host shared)
  : paths_(std::move(paths)), config_(std::move(config)), device_(std::move(where)),
    freezer_(std::move(shared.freezer)), compiled_(std::move(shared.compiled)),
    draws_(std::move(shared.draws)), sites_(shared.sites),
    process_memory_(shared.process_memory / static_cast<std::int64_t>(sites_)),
    contexts_({.places = device_.cuda ? contexts_at_once : any_amount}),
    timing_cpus_(cpus_to_time_on(count_timing_cpus(device_.cuda, config_))),
    flush_bytes_(flush_size()), peaks_(*this) {
  if (config_.memory == 0)
    config_.memory = device_.cuda ? worker_memory_beside_gpu : worker_memory;
  if (config_.time_budget == 0)
    config_.time_budget = device_.cuda ? gpu_time_budget : host_time_budget;
}

// Leases keep the peace within one Lathe, which freezes its own processes alone.
caf::error evaluation_site::claim_device() {
  if (!device_.cuda)
    return {};
  auto mine = claim_on_host("lathe-judges-on-" + device_.visible());
  if (!mine)
    return make_error(errc::environment_error,
                      fmt::format("another lathe judges on {}, and each would time the other's "
                                  "work: wait for its end, or choose another GPU",
                                  device_.name()));
  claim_ = std::move(*mine);
  return {};
}

// A first worker shows what sandbox and device are like.
caf::error evaluation_site::look_around() {
  auto probe = spawn("probe", "probe");
  if (!probe)
    return std::move(probe.error());
  missing_ = probe->process->missing();
  compiled_with_ = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n", paths_.python.string(),
                               paths_.processes.string(), warm_->python_version(),
                               warm_->torch_version(), config_.threads, processor_name(),
                               find_compilers(), hash_of_toolchain(paths_.processes));
  auto cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (!device_.cuda) {
    make_room({any_amount, any_amount, static_cast<std::int64_t>(this->cores()), any_amount});
    hardware_ = fmt::format("cpu, {} thread{} of {} cores, {}", config_.threads,
                            config_.threads == 1 ? "" : "s", cores, processor_name());
    return {};
  }
  auto found = probe->process->call({{"op", "describe"}}, {}, look_limit);
  if (!found.ok())
    return make_error(errc::environment_error,
                      fmt::format("torch cannot use {} inside the sandbox: {}; lathe doctor says "
                                  "more",
                                  device_.name(), found.problem().message));
  flush_bytes_ = 2 * static_cast<std::size_t>(found.integer("l2_bytes").value_or(0));
  auto free = static_cast<double>(found.integer("memory_free").value_or(0));
  spare_memory_ = static_cast<std::int64_t>(spare_memory * free);
  auto memory = (1 - spare_memory) * free;
  make_room({static_cast<std::int64_t>(memory), process_memory_,
             static_cast<std::int64_t>(this->cores()), places_on_gpu});
  cuda_arch_ = architecture(found.text("capability").value_or(""));
  gpu_ = found.text("gpu").value_or("GPU") + " " + cuda_arch_;
  hardware_ = fmt::format("{}, {}, {} multiprocessors, CUDA {}, {} cores, {}", device_.name(),
                          found.text("gpu").value_or("GPU"),
                          found.integer("multiprocessors").value_or(0),
                          found.text("cuda").value_or("?"), cores, processor_name());
  return {};
}

evaluation_site::~evaluation_site() = default;

// -- processes ----------------------------------------------------------------------------

caf::expected<site_worker> evaluation_site::spawn(const std::string& role, const std::string& tag,
                                                  const std::vector<std::string>& preload) {
  auto worker = limits(role);
  worker.preload = preload;
  if (device_.cuda) {
    worker.device = "cuda";
    worker.devices = device_.files();
    worker.visible_gpu = device_.visible();
  }
  return spawn(worker, tag);
}

caf::expected<site_worker> evaluation_site::spawn_builder(const std::string& tag) {
  return spawn(limits("builder"), tag);
}

worker_config evaluation_site::limits(const std::string& role) const {
  worker_config result;
  result.role = role;
  result.memory = static_cast<std::uint64_t>(config_.memory);
  result.threads = static_cast<std::uint32_t>(config_.threads);
  result.cuda_arch = cuda_arch_;
  return result;
}

caf::expected<site_worker> evaluation_site::spawn(const worker_config& worker,
                                                  const std::string& tag) {
  auto stops = [] { return make_error(errc::cancelled, "the run stops"); };
  if (closed())
    return stops();
  auto warm = worker.preload.empty() ? caf::expected{warm_.get()} : warm_for_compiling();
  if (!warm)
    return std::move(warm.error());
  auto process = (*warm)->spawn(worker);
  if (!process)
    return std::move(process.error());
  auto* raw = process->get();
  spdlog::trace("worker {}: is {} {}", raw->group(), worker.role, tag);
  {
    std::lock_guard guard{mutex_};
    if (closed_)
      return stops();
    live_.emplace(raw, worker.role);
  }
  auto unlist = [this](worker_process* x) {
    std::lock_guard guard{mutex_};
    live_.erase(x);
  };
  site_worker result{std::move(*process), std::shared_ptr<void>{raw, unlist}, nullptr};
  result.frozen = freezer_->add(
    tag, [raw] { raw->freeze(); }, [raw] { raw->thaw(); });
  return result;
}

// The first such process has them imported for all others.
void evaluation_site::prepare_compiling() {
  std::call_once(compiling_prepared_, [this] { (void)spawn("probe", "compilers", compiler()); });
}

// Imports of seconds go on in a process of their own: nobody else waits for them.
caf::expected<warm_process*> evaluation_site::warm_for_compiling() {
  std::lock_guard guard{compiling_mutex_};
  if (!warm_compiling_) {
    auto started = warm_process::start({paths_.python, paths_.processes});
    if (!started)
      return std::move(started.error());
    warm_compiling_ = std::move(*started);
  }
  return warm_compiling_.get();
}

std::vector<std::string> evaluation_site::compiler() const {
  std::vector<std::string> result{"torch._dynamo", "torch._inductor.compile_fx"};
  if (!device_.cuda)
    result.emplace_back("vector_instructions");
  return result;
}

// Any request makes one that needs the device.
reply evaluation_site::make_context(worker_process& process) {
  auto place = contexts_.take({.places = 1});
  return process.call({{"op", "memory"}}, {}, look_limit);
}

void evaluation_site::close() {
  decltype(oracles_) given_up; // others wait for their memory, only to hear that the site is closed
  std::lock_guard guard{mutex_};
  closed_ = true;
  given_up.swap(oracles_);
  for (auto& [worker, role] : live_)
    worker->kill();
}

void evaluation_site::found_at_rest() {
  respite_.forget();
  std::lock_guard guard{mutex_};
  stalls_.forget();
}

void evaluation_site::found_busy() {
  auto faults = page_faults_of_groups();
  std::lock_guard guard{mutex_};
  std::vector<stall_watch::sight> sights;
  for (auto& [worker, role] : live_)
    if (auto call = role != "oracle" ? worker->progress() : std::nullopt)
      sights.push_back({worker, worker->group(), *call, faults[worker->group()]});
  if (auto* worker = stalls_.look(sights)) {
    spdlog::debug("worker {}: is given up, its kernels do not end", worker->group());
    worker->give_up(fmt::format("its kernels kept the device busy for {} s and did not end",
                                stall_watch::longest.count()));
    respite_.forget(); // the next one finds the device at rest
  }
  respite_.begin();    // the limits of others only count while they run
}

bool evaluation_site::closed() const {
  std::lock_guard guard{mutex_};
  return closed_;
}

void evaluation_site::make_room(const resources& size) {
  room_.emplace(size);
  timing_memory_.emplace(*room_);
}

resources evaluation_site::of_process(std::int64_t device, std::int64_t cores) const {
  return {.device = device, .host = device_.cuda ? memory_of_process : 0, .cores = cores};
}

gpu::host_memory evaluation_site::host_memory() const {
  auto result = measure_host_memory();
  if (result.total > 0)
    result.total = std::max(result.total, static_cast<std::uint64_t>(paths_.host_memory));
  return result;
}

// -- tasks and verdicts -------------------------------------------------------------------

void evaluation_site::add_oracle(const session_id& session, std::shared_ptr<task_oracle> oracle) {
  std::lock_guard guard{mutex_};
  oracles_[session] = std::move(oracle);
}

void evaluation_site::remove_oracle(const session_id& session) {
  std::shared_ptr<task_oracle> given_up; // ends its process, which takes the mutex
  std::lock_guard guard{mutex_};
  if (auto i = oracles_.extract(session); !i.empty())
    given_up = std::move(i.mapped());
  std::erase_if(known_, [&](const auto& x) { return x.first.first == session; });
}

std::shared_ptr<task_oracle> evaluation_site::oracle(const session_id& session) {
  std::lock_guard guard{mutex_};
  auto i = oracles_.find(session);
  return i == oracles_.end() ? nullptr : i->second;
}

std::optional<verdict> evaluation_site::known(const session_id& session, const std::string& hash) {
  std::lock_guard guard{mutex_};
  auto i = known_.find({session, hash});
  return i == known_.end() ? std::nullopt : std::optional{i->second};
}

void evaluation_site::remember(const session_id& session, const std::string& hash,
                               const verdict& x) {
  std::lock_guard guard{mutex_};
  known_.insert_or_assign({session, hash}, x);
}

// -- properties ---------------------------------------------------------------------------

std::size_t evaluation_site::cores() const {
  return std::max<std::size_t>(1, std::thread::hardware_concurrency() / sites_);
}

std::size_t evaluation_site::verifiers() const {
  auto fit =
    device_.cuda ? static_cast<std::size_t>(spare_memory_ / memory_of_verifier) : most_verifiers;
  return std::clamp<std::size_t>(std::min(cores() / cores_a_verifier, fit), 1, most_verifiers);
}

// Beside what its context and a comparison's own tensors take.
std::int64_t evaluation_site::memory_of_verifier_to_keep() const {
  return spare_memory_ / static_cast<std::int64_t>(verifiers()) - memory_of_verifier / 2;
}

std::size_t evaluation_site::usual_workers() const {
  return device_.cuda ? workers_a_core * cores() : cores();
}

bool evaluation_site::give_compiled(worker_process& to, const std::string& subject, author whose) {
  if (!keeps_compiled(to))
    return true;
  auto name = name_of_compiled(subject);
  auto archive = compiled_->find(name, whose);
  if (!archive || give_compiled(to, *archive) || closed())
    return true;
  compiled_->drop(name);
  return false;
}

bool evaluation_site::give_compiled(worker_process& to, const shared_memory& archive) {
  int fds[] = {archive.fd()};
  to.call({{"op", "unpack"}}, fds, packing_limit);
  return to.usable();
}

bool evaluation_site::has_compiled(const worker_process& to, const std::string& subject) const {
  return keeps_compiled(to) && compiled_->has(name_of_compiled(subject));
}

std::optional<shared_memory> evaluation_site::pack_compiled(worker_process& from) const {
  auto record = packed_by(from);
  if (!record)
    return std::nullopt;
  auto result = archive_of(record->bytes());
  return result ? std::optional{std::move(*result)} : std::nullopt;
}

void evaluation_site::keep_compiled(worker_process& from, const std::string& subject,
                                    author whose) {
  auto name = name_of_compiled(subject);
  if (!keeps_compiled(from) || !compiled_->wants(name, whose))
    return;
  auto record = packed_by(from);
  if (record && !compiled_->add(name, record->bytes()))
    spdlog::warn("compiled code cannot be kept in {}", paths_.cache.string());
}

// Without a root of its own a worker has no folders of its own, and may have others' files in them.
bool evaluation_site::keeps_compiled(const worker_process& x) const {
  return compiled_->keeps() && std::ranges::find(x.missing(), "root") == x.missing().end();
}

std::string evaluation_site::name_of_compiled(const std::string& subject) const {
  return fmt::format("{}{}\n{}\n", compiled_with_, gpu_, subject);
}

environment evaluation_site::describe() const {
  environment result;
  result.device = hardware_;
  result.software
    = fmt::format("Python {}, torch {}", warm_->python_version(), warm_->torch_version());
  result.judge = fmt::format("{} judge, tolerance {}, {} mode", config_.judge, config_.tolerance,
                             config_.mode);
  result.sandbox = fmt::format("{}", fmt::join(missing_, ", "));
  return result;
}

claimed_cpus evaluation_site::choose_timing_cpus() {
  return claimed_cpus::fastest(timing_cpus_, count_timing_cpus(device_.cuda, config_),
                               [this](int cpu) {
                                 auto result = seconds_of_probe(cpu);
                                 calmest_probe_.note(result);
                                 return result;
                               });
}

std::int64_t evaluation_site::secret_seed() {
  std::lock_guard guard{mutex_};
  auto high = static_cast<std::uint64_t>(entropy_());
  return static_cast<std::int64_t>((high << 31 | entropy_()) & 0x7fff'ffff'ffff);
}

} // namespace lathe::gpu

#include "gpu/evaluation.hpp"

#include "gpu/forbidden_work.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

// What the stages of an evaluation are made of, and how they end.

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;

constexpr auto compare_limit = 120s;

constexpr double text_limit = 20; // [seconds] to read what a candidate asks to be built

// Enough for a traceback or a compiler's first errors, and little enough for a prompt.
constexpr std::size_t max_evidence = 4000;

std::string shortened(std::string text) {
  if (text.size() <= max_evidence)
    return text;
  // Both cuts go between characters of UTF-8.
  auto inside = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  auto head = max_evidence / 2;
  auto tail = text.size() - head;
  while (inside(head))
    --head;
  while (inside(tail))
    ++tail;
  return text.substr(0, head) + "\n[...]\n" + text.substr(tail);
}

// A candidate prints whatever it likes; evidence is text.
std::string printed(std::string bytes) {
  if (!simdjson::validate_utf8(bytes))
    std::replace_if(
      bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) != 0; }, '?');
  return bytes;
}

// What a worker may tell of one call [bytes].
constexpr std::size_t most_profile = 16 << 20;

bool asks_for_extensions(const std::string& source) {
  return source.find("load_inline") != std::string::npos;
}

} // namespace

// -- steps --------------------------------------------------------------------------------

bool evaluation::make_context() {
  if (!site_.device().cuda)
    return true;
  auto made = counted(site_.make_context(*worker_.process));
  return made.ok() || fail(made.problem());
}

bool evaluation::construct(std::size_t weights) {
  auto& x = oracle_->weights()[weights];
  int fds[] = {x.arguments.fd()};
  auto built = call({{"op", "construct"}, {"seed", x.seed}}, fds, site_.config().build_limit);
  return built.ok() || fail(built.problem());
}

bool evaluation::give(const input_draw& draw) {
  int fds[] = {draw.inputs.fd()};
  auto taken = call(request_to_keep(draw.name, draw.key), fds, site_.config().run_limit);
  return taken.ok() || fail(taken.problem());
}

bool evaluation::answer(const input_draw& draw) {
  auto found = call_model(draw);
  if (!found)
    return false;
  if (found->changed_inputs && rules_.watches_conduct)
    return refuse("input-mutation", "a call changed its inputs");
  return compare(draw, std::move(found->output));
}

caf::expected<shared_memory> evaluation::file_for(const input_draw& draw) {
  auto size = size_of_answer(draw);
  auto fits = [&](const shared_memory& x) { return x.size() == size; };
  auto spare = std::ranges::find_if(spare_files_, fits);
  if (spare == spare_files_.end()) {
    spare_files_.clear(); // answers may differ in size
    return shared_memory::make(size);
  }
  auto result = std::move(*spare);
  spare_files_.erase(spare);
  return result;
}

std::optional<evaluation::model_call> evaluation::call_model(const input_draw& draw) {
  auto output = file_for(draw);
  if (!output) {
    give_up(std::move(output.error()));
    return std::nullopt;
  }
  int fds[] = {output->fd()};
  auto ran = call({{"op", "run"}, {"inputs", draw.name}}, fds, site_.config().build_limit);
  if (!ran.ok()) {
    fail(ran.problem());
    return std::nullopt;
  }
  return model_call{std::move(*output), ran.flag("inputs_changed").value_or(true)};
}

bool evaluation::compare(const input_draw& draw, shared_memory output) {
  if (!finish_comparing())
    return false;
  compared_ = std::async(std::launch::async, [this, &draw, output = std::move(output)]() mutable {
    auto found = ask_verifier(draw, output, true);
    return compared_answer{std::move(found), std::move(output)};
  });
  return true;
}

caf::expected<verifier::comparison>
evaluation::ask_verifier(const input_draw& draw, const shared_memory& output, bool evidence) const {
  auto question = compared(draw, rules_.tolerance, allowed_error, output);
  question.evidence = evidence;
  return site_.verifier().compare(question, std::chrono::steady_clock::now() + compare_limit);
}

bool evaluation::finish_comparing() {
  if (!compared_.valid())
    return true;
  auto [found, output] = compared_.get();
  spare_files_.push_back(std::move(output));
  if (!found)
    return give_up(std::move(found.error()));
  auto& proof = *verdict_.correctness;
  if (found->error_ratio >= proof.error_ratio) {
    proof.error_ratio = found->error_ratio;
    proof.precision_class = found->precision_class;
  }
  if (!found->agrees) {
    verdict_.outcome = outcome::incorrect;
    verdict_.rule.clear();
    verdict_.evidence = found->evidence;
    is_rounded_ = found->is_rounded();
    return false;
  }
  ++agreed_;
  return true;
}

bool evaluation::obeys() {
  auto refused = check_forbidden(rules_.forbid, verdict_.work, verdict_.folds);
  if (!refused)
    return true;
  verdict_.timing.reset();
  verdict_.profile.clear();
  profile_.reset();
  return refuse(refused->rule, refused->evidence);
}

reply evaluation::call(boost::json::object request, std::span<const int> fds, double limit) {
  return counted(worker_.process->call(
    std::move(request), fds, std::chrono::milliseconds{static_cast<std::int64_t>(limit * 1e3)}));
}

reply evaluation::counted(reply result) {
  auto cpu = worker_.process->cpu_seconds();
  auto& cost = verdict_.stages.back();
  cost.wall += result.wall;
  cost.queued += result.frozen;
  cost.cpu += std::max(0.0, cpu - cpu_before_);
  cpu_before_ = cpu;
  return result;
}

// Where everybody knows the inputs, answers to them could be kept, too.
bool evaluation::keeps_compiled() const {
  return rules_.watches_conduct;
}

author evaluation::author_of_compiled() const {
  return request_.kin.empty() ? author::anybody : author::rules;
}

bool evaluation::uses_compiler() const {
  return request_.subject.source.find("torch.compile") != std::string::npos;
}

std::string evaluation::compiled_subject() const {
  return request_.kin.empty() ? "candidate " + content_hash(request_.subject.source)
                              : "kin " + request_.kin;
}

// In a process that runs none of its Python, so that any candidate may have what comes of it.
bool evaluation::build_extensions(const shared_memory& source) {
  extensions_.clear();
  failed_build_.reset();
  if (!keeps_compiled() || !asks_for_extensions(request_.subject.source))
    return true;
  auto builder = site_.spawn_builder(tag_);
  if (!builder)
    return give_up(std::move(builder.error()));
  worker_ = std::move(*builder);
  int fds[] = {source.fd()};
  auto& process = *worker_.process;
  if (site_.keeps_compiled(process)) {
    auto told = call({{"op", "extensions"}}, fds, text_limit);
    if (auto key = told.text("key").value_or(""); !key.empty())
      extensions_ = "extensions " + key;
    if (!extensions_.empty() && !site_.has_compiled(process, extensions_))
      build_beside(told.text("like").value_or(""));
  }
  worker_.end();
  cpu_before_ = 0;
  return true;
}

// What was built for those whose extensions differ in their kernels alone saves most of the time.
void evaluation::build_beside(const std::string& like) {
  auto& process = *worker_.process;
  auto others = like.empty() ? like : "like extensions " + like;
  auto known = !others.empty() && site_.has_compiled(process, others);
  if (known && !site_.give_compiled(process, others, author::rules))
    return;
  auto made = call({{"op", "build"}}, {}, site_.config().build_limit);
  if (made.flag("built").value_or(false)) {
    if (!site_.has_compiled(process, extensions_)) // somebody may have been faster
      site_.keep_compiled(process, extensions_, author::rules);
    if (!others.empty() && (!known || made.flag("more").value_or(false)))
      site_.keep_compiled(process, others, author::rules);
  } else if (process.usable()) {
    failed_build_ = site_.pack_compiled(process);
  }
}

bool evaluation::begin_process() {
  auto compiles = uses_compiler();
  for (auto gives : {keeps_compiled(), false}) {
    worker_.end();
    auto worker =
      site_.spawn("candidate", tag_, compiles ? site_.compiler() : std::vector<std::string>{});
    if (!worker)
      return give_up(std::move(worker.error()));
    worker_ = std::move(*worker);
    if (!gives || give_compiled())
      break;
  }
  return true;
}

bool evaluation::give_compiled() {
  auto& process = *worker_.process;
  return (extensions_.empty() || site_.give_compiled(process, extensions_, author::rules))
         && (!failed_build_ || evaluation_site::give_compiled(process, *failed_build_))
         && site_.give_compiled(process, compiled_subject(), author_of_compiled());
}

caf::expected<call_profile> evaluation::recorded_call() {
  auto held = hold(leases_, lease_kind::shared, request_.priority);
  if (!held)
    return std::move(held.error());
  stage_end end{*this, *held};
  enter("profile");
  auto told = call_for_file({{"op", "profile"}, {"inputs", oracle_->checked().back().name}});
  if (!told)
    return std::move(told.error());
  return parse_profile(*told);
}

caf::expected<std::string> evaluation::call_for_file(boost::json::object request) {
  auto found = call(std::move(request), {}, site_.config().run_limit);
  if (!found.ok() || found.fds.size() != 1)
    return make_error(errc::evaluator_failed, found.ok() ? "no file" : found.problem().message);
  auto file = shared_memory::view(std::move(found.fds.front()), most_profile);
  if (!file)
    return std::move(file.error());
  return std::string{file->text()};
}

void evaluation::enter(std::string stage) {
  verdict_.stages.push_back({std::move(stage), 0, 0, 0});
}

bool evaluation::revive_oracle() {
  std::lock_guard guard{oracle_->mutex()};
  if (oracle_->process().usable() && !renews_reference_)
    return true;
  auto problem = oracle_->revive();
  return !problem || give_up(std::move(problem));
}

// -- endings ------------------------------------------------------------------------------

bool evaluation::fail(const failure& why) {
  interrupted_ = why.from_outside;
  if (why.how == outcome::refused)
    return refuse(why.rule, why.message);
  verdict_.outcome = why.how;
  auto& stage = verdict_.stages.back().stage;
  auto text = why.summary.empty() ? why.message : why.summary;
  if (!why.summary.empty() && why.message != why.summary && !why.message.empty())
    text += "\n" + why.message;
  if (auto& tail = worker_.process->output_tail();
      why.how == outcome::build_failed && !tail.empty())
    text += "\n" + printed(tail);
  verdict_.evidence =
    shortened(fmt::format("{} ({} stage)", text.substr(0, text.find('\n')), stage)
              + (text.find('\n') == std::string::npos ? "" : text.substr(text.find('\n'))));
  return false;
}

// What was killed, or killed itself, may have left a GPU in any state; an exception that is not the
// GPU's own leaves nothing when its process ends.
bool evaluation::in_doubt() const {
  return verdict_.outcome == outcome::timed_out || reference_broke_
         || (worker_.process && !worker_.process->usable())
         || (verdict_.outcome == outcome::crashed
             && verdict_.evidence.find("CUDA error") != std::string::npos);
}

// A stage without a lease may have used the GPU, too: importing a file can launch kernels. And it
// may be the device that broke: then there is no verdict.
void evaluation::confirm_device() {
  let_go(); // others may wait for it
  if (!site_.device().cuda || site_.closed())
    return;
  if (auto lost = gpu::confirm_device(leases_, request_.priority, doubt_told_))
    give_up(std::move(lost));
}

evaluation::stage_end::~stage_end() {
  owner_.doubt_told_ = owner_.in_doubt();
  if (owner_.doubt_told_)
    held_.doubt();
  if (owner_.broken_ || !owner_.verdict_.correct())
    owner_.worker_.end();
}

void evaluation::let_go() {
  worker_.end();
  spare_files_.clear();
  share_.reset();
}

bool evaluation::refuse(std::string rule, std::string evidence) {
  verdict_.outcome = outcome::refused;
  verdict_.rule = std::move(rule);
  verdict_.evidence = std::move(evidence);
  return false;
}

bool evaluation::give_up(caf::error why) {
  broken_ = std::move(why);
  return false;
}

} // namespace lathe::gpu

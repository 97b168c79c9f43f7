// Asks an OpenAI-compatible server many questions at once, through the gateway, and waits for the
// streamed answers. Prints one line of JSON: how many came, what they cost this process, and how
// long they took. tools/bench/llm_streams.py runs it beside a client in Python.

#include "llm_clients/gateway.hpp"
#include "messages/error.hpp"
#include "messages/registration.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

using namespace lathe;
using clock_type = std::chrono::steady_clock;

namespace {

struct tally {
  std::vector<double> seconds; // of calls that were answered
  std::size_t failed = 0;
  std::string first_failure;
  std::size_t bytes = 0; // of text
};

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto of = [](const timeval& x) {
    return static_cast<double>(x.tv_sec) + static_cast<double>(x.tv_usec) * 1e-6;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

double most_megabytes() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) / 1024;
}

llm_request question(request_id number) {
  llm_request result;
  result.session = "bench";
  result.request = number;
  result.agent = result.role = "coder";
  result.model = "bench";
  result.prompt = fmt::format("question {}", number);
  return result;
}

// Asks one question after the other, `every` so often, and ends when all answers are there.
class asker {
public:
  asker(caf::event_based_actor* self, gateway_actor gateway, request_id count,
        clock_type::duration every, tally* result)
    : self_(self), gateway_(std::move(gateway)), count_(count), every_(every), result_(result) {
    // nop
  }

  // Asks what is due.
  void go_on() {
    for (; asked_ < count_; ++asked_) {
      auto due = start_ + every_ * static_cast<clock_type::rep>(asked_);
      if (auto now = clock_type::now(); due > now) {
        self_->run_delayed(due - now, [this] { go_on(); });
        return;
      }
      ask(asked_ + 1);
    }
  }

private:
  void ask(request_id number) {
    auto asked = clock_type::now();
    self_->request(gateway_, caf::infinite, question(number))
      .then(
        [this, asked](const llm_answer& answer) {
          std::chrono::duration<double> taken = clock_type::now() - asked;
          result_->bytes += answer.text.size();
          result_->seconds.push_back(taken.count());
          end_one();
        },
        [this](const caf::error& why) {
          if (result_->failed++ == 0)
            result_->first_failure = describe(why);
          end_one();
        });
  }

  void end_one() {
    if (result_->seconds.size() + result_->failed == count_)
      self_->quit();
  }

  caf::event_based_actor* self_;
  gateway_actor gateway_;
  request_id count_;
  clock_type::duration every_;
  tally* result_;
  clock_type::time_point start_ = clock_type::now();
  request_id asked_ = 0;
};

caf::behavior run_asker(caf::stateful_actor<std::shared_ptr<asker>>* self,
                        const gateway_actor& gateway, request_id count, clock_type::duration every,
                        tally* result) {
  self->state = std::make_shared<asker>(self, gateway, count, every, result);
  self->state->go_on();
  return {[](int) {}}; // until it quits
}

double quantile(std::vector<double>& sorted, double share) {
  if (sorted.empty())
    return 0;
  auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[at];
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: bench_llm_streams BASE_URL CALLS SECONDS\n"
                       "asks so many questions, evenly over so many seconds\n");
    return 2;
  }
  register_messages();
  auto calls = std::strtoull(argv[2], nullptr, 10);
  std::chrono::duration<double> every{std::strtod(argv[3], nullptr) / static_cast<double>(calls)};
  model_config model;
  model.name = model.model = "bench";
  model.provider = provider_kind::openai;
  model.base_url = argv[1];
  model.in_flight = static_cast<std::int32_t>(calls);
  llm_clients::gateway_options options;
  options.models = {model};
  options.max_waiting = calls;
  options.retry.attempts = 1;
  caf::actor_system_config config;
  caf::actor_system system{config};
  tally result;
  auto start = clock_type::now();
  {
    auto gateway = llm_clients::spawn_gateway(system, std::move(options));
    caf::scoped_actor self{system};
    self->wait_for(system.spawn(run_asker, gateway, calls,
                                std::chrono::duration_cast<clock_type::duration>(every), &result));
    self->send_exit(gateway, caf::exit_reason::user_shutdown);
    self->wait_for(gateway);
  }
  auto wall = std::chrono::duration<double>(clock_type::now() - start).count();
  std::ranges::sort(result.seconds);
  fmt::print(R"({{"answered": {}, "failed": {}, "why": "{}", "bytes": {}, "wall_s": {:.3f}, )"
             R"("cpu_ms_per_call": {:.4f}, "most_mb": {:.0f}, "median_s": {:.5f}, )"
             R"("p99_s": {:.5f}}})"
             "\n",
             result.seconds.size(), result.failed, result.first_failure, result.bytes, wall,
             1e3 * cpu_seconds() / static_cast<double>(calls), most_megabytes(),
             quantile(result.seconds, 0.5), quantile(result.seconds, 0.99));
  return result.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
